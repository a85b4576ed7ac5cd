"""ONNX files as models of KServe's Python server, which answers as TensorFlow Serving does: /v1/models/NAME:predict.

python serve.py NAME=FILE ... --http_port PORT
"""

import argparse

import numpy as np
import onnxruntime
from kserve import Model, ModelServer, model_server


class Onnx(Model):
    def __init__(self, name, path):
        super().__init__(name)
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.ready = True

    def predict(self, payload, headers=None):
        images = np.array(payload["instances"], np.float32)
        (scores,) = self._session.run(None, {self._session.get_inputs()[0].name: images})
        return {"predictions": scores.tolist()}


parser = argparse.ArgumentParser(parents=[model_server.parser])
parser.add_argument("models", nargs="+")
models = [one.split("=", 1) for one in parser.parse_args().models]
ModelServer().start([Onnx(name, path) for name, path in models])
