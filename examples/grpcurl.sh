#!/bin/sh
# Ranks three posts of the shipped sample with grpcurl, changes β, ranks them again, and sets β to −1, the first weight of `up`.
#
#   counterweight up                      # in another terminal
#   sh examples/grpcurl.sh                # or: sh examples/grpcurl.sh HOST:PORT
#
# The servers support reflection, so grpcurl needs no .proto files. In grpcurl/rank.json a context feature has one value, and a
# feature of the candidates has three. Texts are `bytes`, which JSON encodes as base64: printf %s 'Tag somebody!' | base64
#
# DescribeRanking reports the kind of every feature. The kind decides how a missing value is sent: numeric and boolean as "NaN",
# categorical, text and list as "", vector as a row of "NaN". The second post has no topic, hashtags, age or embedding.
set -eu
cd "$(dirname "$0")/grpcurl"
address=${1:-127.0.0.1:7000}
call() { ${GRPCURL:-grpcurl} -plaintext -d @ "$address" "counterweight.v1.$1"; }
beta() { echo '{"changes": [{"profile": "default", "weights": [{"objective": "engagement_bait", "weight": '"$1"'}]}], "cause": {"author": "grpcurl", "reason": "example"}}' | call WeightsService/SetWeights; }

echo '{}' | call RankingService/DescribeRanking
echo '{"profile": "default"}' | call WeightsService/GetWeights
beta 0
call RankingService/Rank < rank.json
beta -4
call RankingService/Rank < rank.json
beta -1
