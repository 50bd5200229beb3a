"""Serves a logistic regression of ours with scikit-learn behind MLServer, to compare with it and to rank with it.

    python benches/peers/mlserver_peer.py --coefficients FILE [--name engagement] [--grpc-port 0] [--workers 0]

FILE is JSON: {"coefficients": [one per feature], "intercept": b} in the units of the raw features, as `benches --bin serving
--write-coefficients FILE` writes it. Once MLServer gives the right answers over gRPC this prints `NAME on HOST:PORT` on stdout, as
its first line; it serves until SIGTERM or Ctrl-C, and then stops MLServer too. Needs requirements.txt of this folder.

What MLServer 1.7 takes and gives over gRPC (ModelInfer), found by trying it:
- exactly one input tensor of any name, shape [n, d], FP64 or FP32, raw or typed contents; no `content_type` parameter is needed. A
  tensor per feature is refused (INVALID_ARGUMENT), a wrong d and a NaN are INTERNAL. Nothing is broadcast.
- `outputs` must name `predict_proba`; without it the class labels come back, as `predict` INT64.
- the answer is `predict_proba`, FP64 [n, 2] even for FP32 input, column 1 = P(class 1); raw when the request was raw, else typed.
- `model_version` is empty or exactly the one of model-settings.json ("v1"), else NOT_FOUND; an empty request id stays empty.
- ModelMetadata tells the name and nothing else; there is neither reflection nor grpc.health.v1.
"""

import argparse
import json
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import grpc
import joblib
import numpy as np
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc import dataplane_pb2_grpc
from sklearn.linear_model import LogisticRegression

HOST = "127.0.0.1"
VERSION = "v1"


def logistic_regression(coefficients, intercept):
    """A fitted LogisticRegression that nothing was fitted for."""
    model = LogisticRegression()
    model.coef_ = np.array([coefficients], dtype=np.float64)
    model.intercept_ = np.array([intercept], dtype=np.float64)
    model.classes_ = np.array([0, 1])
    model.n_features_in_ = len(coefficients)
    return model


def free_port():
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return listener.getsockname()[1]


def write_repository(folder, name, model, grpc_port, workers):
    """All that `mlserver start` reads."""
    (folder / name).mkdir()
    joblib.dump(model, folder / name / "model.joblib")
    model_settings = {
        "name": name,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib", "version": VERSION},
    }
    settings = {
        "host": HOST, "grpc_port": grpc_port, "http_port": free_port(), "metrics_port": free_port(),
        # Fair to it: no logs and metrics per call, and by default its best number of workers.
        "debug": False, "metrics_endpoint": None, "parallel_workers": workers, "logging_settings": str(folder / "logging.json"),
    }
    logging = {"version": 1, "disable_existing_loggers": False, "root": {"level": "ERROR"}}
    (folder / name / "model-settings.json").write_text(json.dumps(model_settings, indent=2))
    (folder / "settings.json").write_text(json.dumps(settings, indent=2))
    (folder / "logging.json").write_text(json.dumps(logging, indent=2))


def wait_until_ready(server, stub, name, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit(f"mlserver ended with exit code {server.returncode} before it was ready; its messages are above")
        try:
            if stub.ModelReady(pb.ModelReadyRequest(name=name), timeout=1).ready:
                return
        except grpc.RpcError:
            pass
        time.sleep(0.1)
    sys.exit(f"mlserver is not ready after {seconds} s; its messages are above")


def check_answers(stub, name, model):
    """Compares what comes over gRPC with scikit-learn itself, raw and typed, in doubles and in floats."""
    rows = np.random.default_rng(1).normal(size=(7, model.n_features_in_))
    expected = model.predict_proba(rows)
    output = pb.ModelInferRequest.InferRequestedOutputTensor(name="predict_proba")
    for datatype, numbers, field in [("FP64", rows, "fp64_contents"), ("FP32", rows.astype(np.float32), "fp32_contents")]:
        for raw in [True, False]:
            tensor = pb.ModelInferRequest.InferInputTensor(name="x", datatype=datatype, shape=rows.shape)
            request = pb.ModelInferRequest(model_name=name, outputs=[output])
            if raw:
                request.raw_input_contents.append(numbers.tobytes())
            else:
                getattr(tensor.contents, field).extend(numbers.ravel())
            request.inputs.append(tensor)
            answer = stub.ModelInfer(request, timeout=10)
            values = np.frombuffer(answer.raw_output_contents[0]) if raw else np.array(answer.outputs[0].contents.fp64_contents)
            difference = np.abs(values.reshape(answer.outputs[0].shape) - expected).max()
            if difference > 1e-5:
                sys.exit(f"mlserver is off by {difference:.1e} from predict_proba for {datatype}, {'raw' if raw else 'typed'}")


def serve(options, folder):
    numbers = json.loads(pathlib.Path(options.coefficients).read_text())
    model = logistic_regression(numbers["coefficients"], numbers["intercept"])
    grpc_port = options.grpc_port or free_port()
    write_repository(folder, options.name, model, grpc_port, options.workers)
    mlserver = pathlib.Path(sys.executable).with_name("mlserver")
    # Only what we print belongs on stdout, where a caller reads the address.
    server = subprocess.Popen([str(mlserver), "start", str(folder)], stdout=sys.stderr, cwd=folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with grpc.insecure_channel(f"{HOST}:{grpc_port}") as channel:
            stub = dataplane_pb2_grpc.GRPCInferenceServiceStub(channel)
            wait_until_ready(server, stub, options.name)
            check_answers(stub, options.name, model)
        print(f"{options.name} on {HOST}:{grpc_port}", flush=True)
        sys.exit(server.wait())
    except KeyboardInterrupt:
        pass
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coefficients", required=True, metavar="FILE")
    parser.add_argument("--name", default="engagement", help="the model's name")
    parser.add_argument("--grpc-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--workers", type=int, default=0, help="parallel_workers of MLServer; 0, its best on two cores, computes in the server's process")
    with tempfile.TemporaryDirectory(prefix="mlserver-") as folder:
        serve(parser.parse_args(), pathlib.Path(folder))


if __name__ == "__main__":
    main()
