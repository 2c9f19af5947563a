"""Write a network as an ONNX file."""
