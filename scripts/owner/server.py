"""Serves a model in another engine over KServe's second protocol, for trials of `brink`.

    pip install -r scripts/peers/requirements.txt
    python scripts/owner/server.py ENGINE WEIGHTS --model resnet20 --port 8090 --answers labels

ENGINE is a name of scripts/peers/engine.py. Images come as FP32 numbers or as PNG. `--answers` is `logits` or `labels`.
"""

import argparse
import base64
import io
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
import engine  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from torchvision.transforms.functional import to_tensor  # noqa: E402

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def images_of(tensor):
    """The images in an input of a request, (n, c, h, w), pixels in [0, 1]."""
    if tensor["datatype"] == "BYTES":
        files = (io.BytesIO(base64.b64decode(data)) for data in tensor["data"])
        return torch.stack([to_tensor(Image.open(file).convert("RGB")) for file in files])
    return torch.tensor(tensor["data"], dtype=torch.float32).reshape(tensor["shape"])


def handler(logits, answers):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            scores = logits(images_of(request["inputs"][0])).float()
            if answers == "labels":
                output = {"name": "labels", "datatype": "INT64", "shape": [len(scores)], "data": scores.argmax(1).tolist()}
            else:
                output = {"name": "logits", "datatype": "FP32", "shape": list(scores.shape), "data": scores.flatten().tolist()}
            body = json.dumps({"model_name": "model", "outputs": [output]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("engine", choices=sorted(engine.ENGINES))
    parser.add_argument("weights")
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--normalize", choices=["none", "imagenet"], default="none")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--answers", choices=["logits", "labels"], default="labels")
    args = parser.parse_args()
    spec = {
        "model": args.model, "width": 1.0, "classes": args.classes, "weights": args.weights,
        "normalize": IMAGENET if args.normalize == "imagenet" else None, "input": [3, args.size, args.size],
    }  # fmt: skip
    _, way, logits = engine.open_model(args.engine, {"open": spec})
    with torch.inference_mode():
        print(f"{way} on port {args.port}", flush=True)
        ThreadingHTTPServer(("127.0.0.1", args.port), handler(logits, args.answers)).serve_forever()


if __name__ == "__main__":
    main()
