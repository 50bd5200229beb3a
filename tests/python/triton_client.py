"""Drives a running model server with NVIDIA's `tritonclient`, a client that this project did not write.

    python tests/python/triton_client.py --url 127.0.0.1:8501 [--model NAME]

It learns the model from the server's own metadata, so that any of our models can be checked. It prints one line per check
and `N passed, M failed`, and exits with 1 if a check has failed. Unless `--read-only` is given it unloads the model for a moment.
"""

import argparse
import sys
import time

import grpc
import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

ROWS = 4
NUMPY = {"FP64": np.float64, "FP32": np.float32, "INT64": np.int64, "BOOL": np.bool_, "BYTES": np.object_}
TYPED = {"FP64": "fp64_contents", "FP32": "fp32_contents", "INT64": "int64_contents", "BOOL": "bool_contents", "BYTES": "bytes_contents"}
TEXTS = [b"vote now!!! which one?", "über 10 Dinge 😀".encode(), b"", b"how to bake bread"]


def described(tensor):
    """A tensor's metadata with our `parameters`, which Triton's own message does not know; its input tensor has the same fields."""
    return service_pb2.ModelInferRequest.InferInputTensor.FromString(tensor.SerializeToString())


def sample(tensor, rows):
    """Values for one input, as its metadata describes it."""
    shape = [rows if side == -1 else side for side in tensor.shape]
    kind = tensor.parameters["kind"].string_param
    if tensor.datatype == "BYTES":
        values = [b'["a", "b"]', b"[]", b"", b'["c"]'] if kind == "list" else TEXTS
        return np.array([values[row % 4] for row in range(rows)], dtype=np.object_).reshape(shape)
    if tensor.datatype == "BOOL":
        return (np.arange(rows) % 2 == 0).reshape(shape)
    return (np.arange(np.prod(shape)) % 7 / 3).reshape(shape).astype(NUMPY[tensor.datatype])


class Checks:
    """Runs and counts the checks."""

    def __init__(self, url, model):
        self.client = triton.InferenceServerClient(url)
        self.stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(url))
        self.model = model or self.client.get_model_repository_index().models[0].name
        self.metadata = self.client.get_model_metadata(self.model)
        self.inputs = [described(tensor) for tensor in self.metadata.inputs]
        self.passed = self.failed = 0

    def run(self, check):
        try:
            check(self)
        except Exception as error:  # a check that dies has failed, whatever it died of
            self.failed += 1
            print(f"FAILED {check.__name__}: {type(error).__name__}: {error}")
        else:
            self.passed += 1
            print(f"ok     {check.__name__}")

    def values(self, rows=ROWS):
        return {tensor.name: sample(tensor, rows) for tensor in self.inputs}

    def infer(self, values, outputs=None, **arguments):
        inputs = []
        for name, array in values.items():
            tensor = triton.InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
            tensor.set_data_from_numpy(array)
            inputs.append(tensor)
        if outputs is not None:
            arguments["outputs"] = [triton.InferRequestedOutput(name) for name in outputs]
        return self.client.infer(self.model, inputs, **arguments)

    def typed_request(self, values):
        request = service_pb2.ModelInferRequest(model_name=self.model, id="typed")
        for name, array in values.items():
            datatype = np_to_triton_dtype(array.dtype)
            tensor = request.inputs.add(name=name, datatype=datatype, shape=array.shape)
            getattr(tensor.contents, TYPED[datatype]).extend(array.flatten().tolist())
        return request

    def first(self, wanted):
        """An input that satisfies `wanted`, or None."""
        return next((tensor for tensor in self.inputs if wanted(tensor)), None)


def is_used(tensor):
    return "served" not in tensor.parameters


def refused(call, code, *words):
    """`call` must fail with `code` and say every one of `words`."""
    try:
        call()
    except InferenceServerException as error:
        found, message = error.status(), error.message()
    except grpc.RpcError as error:
        found, message = str(error.code()), error.details()
    else:
        raise AssertionError(f"was accepted, but {code} was expected")
    assert found == f"StatusCode.{code}", f"{found}, expected {code}: {message}"
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"


def live_and_ready(checks):
    assert checks.client.is_server_live()
    assert checks.client.is_server_ready()
    assert checks.client.is_model_ready(checks.model)
    assert not checks.client.is_model_ready("no-such-model")


def server_metadata(checks):
    metadata = checks.client.get_server_metadata()
    assert metadata.name and metadata.version
    assert "model_repository" in metadata.extensions, metadata.extensions


def model_metadata(checks):
    assert checks.metadata.name == checks.model and checks.metadata.versions
    assert all(tensor.datatype in NUMPY for tensor in checks.inputs)
    assert [tensor.name for tensor in checks.metadata.outputs] == ["probability", "logit", "contributions"]
    version = checks.metadata.versions[-1]
    assert checks.client.get_model_metadata(checks.model, version).versions == checks.metadata.versions
    refused(lambda: checks.client.get_model_metadata("no-such-model"), "NOT_FOUND", "no-such-model", checks.model)


def infer_raw(checks):
    answer = checks.infer(checks.values(), request_id="raw")
    probability = answer.as_numpy("probability")
    assert probability.dtype == np.float32 and probability.shape == (ROWS,), probability
    assert ((probability >= 0) & (probability <= 1)).all(), probability
    response = answer.get_response()
    assert response.id == "raw" and response.model_version in checks.metadata.versions
    assert len(response.raw_output_contents) == 1 and "calibrator" in response.parameters


def infer_typed_equals_raw(checks):
    values = checks.values()
    response = checks.stub.ModelInfer(checks.typed_request(values))
    assert response.id == "typed" and not response.raw_output_contents
    raw = checks.infer(values).as_numpy("probability")
    assert list(response.outputs[0].contents.fp32_contents) == raw.tolist()


def infer_column_vectors(checks):
    flat = checks.values()
    upright = {name: array.reshape(ROWS, -1) for name, array in flat.items()}
    assert (checks.infer(upright).as_numpy("probability") == checks.infer(flat).as_numpy("probability")).all()


def infer_broadcasts_context(checks):
    values = checks.values()
    expanded = dict(values)
    for tensor in checks.inputs:
        if tensor.parameters["side"].string_param == "context":
            values[tensor.name] = values[tensor.name][:1]
            expanded[tensor.name] = np.repeat(values[tensor.name], ROWS, axis=0)
    assert (checks.infer(values).as_numpy("probability") == checks.infer(expanded).as_numpy("probability")).all()


def infer_without_optional_inputs(checks):
    optional = {tensor.name for tensor in checks.inputs if tensor.parameters["optional"].bool_param}
    values = {name: array for name, array in checks.values().items() if name not in optional}
    if values:
        assert checks.infer(values).as_numpy("probability").shape == (ROWS,)


def infer_requested_outputs(checks):
    answer = checks.infer(checks.values(), outputs=["contributions", "logit"])
    contributions, logit = answer.as_numpy("contributions"), answer.as_numpy("logit")
    assert answer.as_numpy("probability") is None
    output = described(checks.metadata.outputs[2])
    assert contributions.shape == (ROWS, output.shape[1])
    sums = contributions.astype(np.float64).sum(axis=1) + output.parameters["offset"].double_param
    assert np.allclose(sums, logit, atol=1e-4), (sums, logit)


def infer_pinned_version(checks):
    for version in checks.metadata.versions:
        response = checks.infer(checks.values(), model_version=version).get_response()
        assert response.model_version == version
    refused(lambda: checks.infer(checks.values(), model_version="no-such-version"), "NOT_FOUND", "no-such-version")


def missing_numbers_are_data(checks):
    values = checks.values()
    tensor = checks.first(lambda tensor: tensor.datatype == "FP64" and is_used(tensor))
    if tensor is not None:
        values[tensor.name][0] = np.nan
        assert np.isfinite(checks.infer(values).as_numpy("probability")).all()
        values[tensor.name][1] = np.inf
        refused(lambda: checks.infer(values), "INVALID_ARGUMENT", tensor.name, "row 1")


def broken_utf8_is_data(checks):
    values = checks.values()
    tensor = checks.first(lambda tensor: tensor.parameters["kind"].string_param in ("text", "categorical"))
    if tensor is not None:
        values[tensor.name][0] = b"\xff\xfe broken"
        assert np.isfinite(checks.infer(values).as_numpy("probability")).all()


def wrong_names(checks):
    values = checks.values()
    refused(lambda: checks.infer(values | {"no-such-input": np.zeros(ROWS)}), "INVALID_ARGUMENT", "no-such-input")
    required = checks.first(lambda tensor: not tensor.parameters["optional"].bool_param)
    if required is not None:
        misspelt = {required.name + "_" if name == required.name else name: array for name, array in values.items()}
        refused(lambda: checks.infer(misspelt), "INVALID_ARGUMENT", required.name + "_", "did you mean")
        del values[required.name]
        refused(lambda: checks.infer(values), "INVALID_ARGUMENT", required.name)
        refused(lambda: checks.stub.ModelInfer(checks.typed_request(values)), "INVALID_ARGUMENT", required.name)
    refused(lambda: checks.infer(checks.values(), outputs=["probabilities"]), "INVALID_ARGUMENT", "probabilities", "probability")
    refused(lambda: checks.client.infer("no-such-model", []), "NOT_FOUND", "no-such-model")


def wrong_shapes(checks):
    tensor = checks.first(is_used)
    values = checks.values()
    wide = values | {tensor.name: np.repeat(values[tensor.name].reshape(ROWS, -1), 3, axis=1)}
    refused(lambda: checks.infer(wide), "INVALID_ARGUMENT", tensor.name)
    deep = values | {tensor.name: values[tensor.name].reshape(ROWS, 1, -1)}
    refused(lambda: checks.infer(deep), "INVALID_ARGUMENT", tensor.name, "shape")
    longer = values | {tensor.name: np.concatenate([values[tensor.name]] * 2)}
    refused(lambda: checks.infer(longer), "INVALID_ARGUMENT", tensor.name, "rows")
    refused(lambda: checks.infer(checks.values(rows=0)), "INVALID_ARGUMENT", "shape")
    request = checks.typed_request(values)
    request.inputs[0].shape[0] += 1
    refused(lambda: checks.stub.ModelInfer(request), "INVALID_ARGUMENT", request.inputs[0].name)


def wrong_types(checks):
    values = checks.values()
    number = checks.first(lambda tensor: tensor.datatype != "BYTES" and is_used(tensor))
    if number is not None:
        text = np.full(values[number.name].shape, b"1", dtype=np.object_)
        refused(lambda: checks.infer(values | {number.name: text}), "INVALID_ARGUMENT", number.name, "BYTES")
    text = checks.first(lambda tensor: tensor.datatype == "BYTES")
    if text is not None:
        floats = np.zeros(values[text.name].shape, dtype=np.float32)
        refused(lambda: checks.infer(values | {text.name: floats}), "INVALID_ARGUMENT", text.name, "FP32")
    request = checks.typed_request(values)
    request.inputs[0].datatype = "FP16"
    refused(lambda: checks.stub.ModelInfer(request), "INVALID_ARGUMENT", "FP16")


def raw_and_typed_together(checks):
    request = checks.typed_request(checks.values())
    request.raw_input_contents.extend([b""] * len(request.inputs))
    refused(lambda: checks.stub.ModelInfer(request), "INVALID_ARGUMENT", "raw")


def errors_carry_error_info(checks):
    try:
        checks.stub.ModelInfer(service_pb2.ModelInferRequest(model_name="no-such-model"))
    except grpc.RpcError as error:
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        assert b"google.rpc.ErrorInfo" in details and b"no-such-model" in details, details
    else:
        raise AssertionError("was accepted")


def repository_index(checks):
    models = checks.client.get_model_repository_index().models
    mine = {model.version: model.state for model in models if model.name == checks.model}
    for version in checks.metadata.versions:
        assert mine[version] == "READY", mine
    refused(lambda: checks.client.load_model("no-such-model"), "NOT_FOUND", "no-such-model")
    refused(lambda: checks.client.load_model(checks.model, config="{}"), "INVALID_ARGUMENT", "config")


def unload_and_load(checks):
    checks.client.unload_model(checks.model)
    assert not checks.client.is_model_ready(checks.model)
    refused(lambda: checks.infer(checks.values()), "UNAVAILABLE", checks.model)
    time.sleep(1.5)  # longer than a poll, which must not bring it back
    assert not checks.client.is_model_ready(checks.model)
    checks.client.load_model(checks.model)
    assert checks.client.is_model_ready(checks.model)
    assert checks.infer(checks.values()).get_response().model_version == checks.metadata.versions[0]


def model_config(checks):
    config = checks.client.get_model_config(checks.model).config
    assert config.name == checks.model and config.platform == checks.metadata.platform
    assert config.max_batch_size == 0
    types = {"BYTES": "TYPE_STRING"}
    for configured, described in [(config.input, checks.inputs), (config.output, checks.metadata.outputs)]:
        assert [tensor.name for tensor in configured] == [tensor.name for tensor in described]
        for tensor, other in zip(configured, described):
            assert list(tensor.dims) == list(other.shape), tensor.name
            expected = types.get(other.datatype, f"TYPE_{other.datatype}")
            assert model_config_pb2.DataType.Name(tensor.data_type) == expected, tensor.name
    for tensor, other in zip(config.input, checks.inputs):
        assert tensor.optional == other.parameters["optional"].bool_param, tensor.name


def statistics(checks, version=""):
    return checks.client.get_inference_statistics(checks.model, version).model_stats


def model_statistics_count_what_is_asked(checks):
    version = checks.metadata.versions[0]
    before = statistics(checks, version)[0]
    checks.infer(checks.values())
    checks.infer(checks.values())
    values = checks.values()
    values["no such input"] = values[checks.inputs[0].name]
    try:
        checks.infer(values)
    except InferenceServerException:
        pass
    after = statistics(checks, version)[0]
    assert (after.name, after.version) == (checks.model, version)
    assert after.inference_count - before.inference_count == 2
    assert after.execution_count - before.execution_count == 2
    assert after.last_inference > 1_600_000_000_000
    for field, count in [("success", 2), ("fail", 1), ("queue", 2), ("compute_infer", 2)]:
        now, then = getattr(after.inference_stats, field), getattr(before.inference_stats, field)
        assert now.count - then.count == count, field
        assert now.ns > then.ns, field
    assert {one.version for one in statistics(checks)} == set(checks.metadata.versions)
    everything = checks.client.get_inference_statistics().model_stats
    assert checks.model in {one.name for one in everything}


READ_ONLY = [
    live_and_ready,
    server_metadata,
    model_metadata,
    infer_raw,
    infer_typed_equals_raw,
    infer_column_vectors,
    infer_broadcasts_context,
    infer_without_optional_inputs,
    infer_requested_outputs,
    infer_pinned_version,
    missing_numbers_are_data,
    broken_utf8_is_data,
    wrong_names,
    wrong_shapes,
    wrong_types,
    raw_and_typed_together,
    errors_carry_error_info,
    repository_index,
    model_config,
    model_statistics_count_what_is_asked,
]


def main():
    parser = argparse.ArgumentParser(description="Checks a model server with tritonclient.")
    parser.add_argument("--url", required=True, help="host:port of the model server")
    parser.add_argument("--model", help="model to check; the first of the repository index when not given")
    parser.add_argument("--read-only", action="store_true", help="do not unload and load the model")
    arguments = parser.parse_args()
    checks = Checks(arguments.url, arguments.model)
    for check in READ_ONLY + ([] if arguments.read_only else [unload_and_load]):
        checks.run(check)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
