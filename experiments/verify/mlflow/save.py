"""Saves an ONNX file as a model of MLflow: `python save.py FILE FOLDER`."""

import sys

import mlflow.pyfunc
import numpy as np
import onnxruntime


class Onnx(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self._session = onnxruntime.InferenceSession(context.artifacts["onnx"], providers=["CPUExecutionProvider"])

    def predict(self, context, model_input, params=None):
        images = np.asarray(model_input, dtype=np.float32)
        (scores,) = self._session.run(None, {self._session.get_inputs()[0].name: images})
        return scores


if __name__ == "__main__":
    file, folder = sys.argv[1:]
    mlflow.pyfunc.save_model(folder, python_model=Onnx(), artifacts={"onnx": file}, pip_requirements=["onnxruntime"])
