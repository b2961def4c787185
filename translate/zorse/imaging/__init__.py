"""Pictures as numbers: reading and writing files, tensors, edges. numpy, Pillow and OpenCV only."""
