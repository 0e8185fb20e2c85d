"""BlazePose's networks from .tflite to ONNX: `hmr convert-detector`."""
