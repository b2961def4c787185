"""What generators that draw from noise learn from: points in the plane, digits, pictures in class folders."""
