"""Other people's weights into styles: read without their frameworks, written as one onnx file.

`recognise` looks at the content of a source and says what it is; `layers` checks each weight's
name and shape before it is read; `cartoongan`, `cartoongan_light`, `animegan`, `whitebox` and
`foreign_onnx` write the graph; `command` puts the spec into it, paints a small picture with it and
only then leaves the file.
"""
