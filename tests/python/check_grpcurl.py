"""Stands in for grpcurl where it is not installed, so that examples/grpcurl.sh is run as it is written.

    GRPCURL="python $PWD/tests/python/check_grpcurl.py" sh examples/grpcurl.sh 127.0.0.1:7000

Takes what the script gives to grpcurl (`-plaintext -d @ ADDRESS SERVICE/METHOD`, JSON on stdin). As grpcurl does, it learns the method from
the server's reflection, refuses JSON that does not fit the message, calls, and prints the answer as JSON. Where ADDRESS is
`-`, it checks the JSON against proto/ instead and calls nothing. Exits with 1 and one line on what is wrong.
"""

import argparse
import pathlib
import sys
import tempfile

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


def reflected(channel):
    """The types that a running server tells of."""
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    return descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))


def compiled():
    """The types of proto/."""
    import grpc_tools
    from grpc_tools import protoc

    proto = pathlib.Path(__file__).resolve().parents[2] / "proto"
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "descriptors"
        files = [str(path) for path in sorted(proto.rglob("*.proto"))]
        if protoc.main(["protoc", f"-I{proto}", f"-I{well_known}", "--include_imports", f"--descriptor_set_out={out}", *files]):
            raise ValueError(f"{proto} does not compile")
        descriptors = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in descriptors.file:
        pool.Add(file)
    return pool


def run(options):
    service, _, name = options.method.partition("/")
    channel = None if options.address == "-" else grpc.insecure_channel(options.address)
    pool = reflected(channel) if channel else compiled()
    method = pool.FindServiceByName(service).methods_by_name[name]
    data = sys.stdin.read() if options.data == "@" else options.data
    request = json_format.Parse(data, message_factory.GetMessageClass(method.input_type)(), descriptor_pool=pool)
    if channel is None:
        return f"{options.method}: the request fits"
    answer = message_factory.GetMessageClass(method.output_type)
    call = channel.unary_unary(f"/{options.method}", type(request).SerializeToString, answer.FromString)
    return json_format.MessageToJson(call(request, timeout=10), descriptor_pool=pool)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-plaintext", action="store_true", required=True)
    parser.add_argument("-d", dest="data", required=True, metavar="JSON", help="@ reads it from stdin")
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument("method", metavar="SERVICE/METHOD")
    options = parser.parse_args()
    try:
        print(run(options))
    except grpc.RpcError as error:
        sys.exit(f"{options.method}: {error.code().name}: {error.details()}")
    except (KeyError, ValueError, json_format.ParseError) as error:
        sys.exit(f"{options.method}: {error}")


if __name__ == "__main__":
    main()
