"""Serves S3 on a free port of this machine, in memory, with one bucket.

    python s3_server.py BUCKET

Prints its HOST:PORT when it answers, and runs until it is killed.
"""

import sys
import threading

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
client = boto3.client(
    "s3",
    endpoint_url=f"http://{host}:{port}",
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
client.create_bucket(Bucket=sys.argv[1])
print(f"{host}:{port}", flush=True)
threading.Event().wait()
