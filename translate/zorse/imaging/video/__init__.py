"""Videos, frame by frame in constant memory: `rewrite_video` changes the pictures of a file and nothing else.

    formats   which files are videos, and what is written into them
    frames    frames of a video <-> upright pixels
    filters   FFmpeg's filters
    fields    interlaced frames <-> progressive ones
    timeline  new time stamps
    decoders  what decodes the pictures
    encoders  what encodes them
    kinds     what a file is, and becomes
    streams   sound and subtitles, copied or, where the new file cannot hold them, converted
    output    frames, until they are written
    progress  how far a video is
    rewrite   from file to file

Needs the extra `video`; only `formats` and `progress` can be imported without it.
"""
