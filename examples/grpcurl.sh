#!/bin/sh
# Ranks three posts of the shipped sample with grpcurl, moves β, and ranks them again.
#
#   counterweight up                      # in another terminal
#   sh examples/grpcurl.sh                # or: sh examples/grpcurl.sh HOST:PORT
#
# The servers answer reflection, so grpcurl needs no .proto files. In JSON a `bytes` field is base64, hence `text` below.
set -eu
address=${1:-127.0.0.1:7000}
call() { ${GRPCURL:-grpcurl} -plaintext -d "$1" "$address" "counterweight.v1.$2"; }

# One tensor per feature: a value per candidate, or a single one for what all candidates share.
commas() { (IFS=,; printf %s "$*"); }
numbers() { name=$1; shift; printf '{"name": "%s", "datatype": "FP64", "shape": [%d], "contents": {"fp64_contents": [%s]}}' "$name" $# "$(commas "$@")"; }
vectors() { name=$1 rows=$2; shift 2; printf '{"name": "%s", "datatype": "FP32", "shape": [%d, %d], "contents": {"fp32_contents": [%s]}}' "$name" "$rows" $(($# / rows)) "$(commas "$@")"; }
texts() {
  name=$1; shift; shape=$#; list=
  for value in "$@"; do list="$list${list:+,}\"$(printf %s "$value" | base64 | tr -d '\n')\""; done
  printf '{"name": "%s", "datatype": "BYTES", "shape": [%d], "contents": {"bytes_contents": [%s]}}' "$name" "$shape" "$list"
}

rank='{"request_id": "grpcurl", "profile": "default", "candidate_ids": ["ferry", "tag", "share"], "inputs": ['$(commas \
  "$(numbers user_sessions_7d 18)" "$(numbers user_reports_90d 1)" "$(numbers user_account_days 660)" "$(numbers hour 19)" "$(numbers on_wifi 1)" \
  "$(texts user_country KE)" "$(texts user_device android)" "$(texts daypart evening)" \
  "$(texts user_favourite_topic travel)" "$(texts user_followed_topics '["travel", "pets"]')" \
  "$(vectors user_embedding 1 -0.25 0.19 0.31 -0.44 0.06 0.5 -0.13 0.25)" \
  "$(vectors post_embedding 3 -0.19 0.25 0.25 -0.31 0.13 0.38 -0.06 0.19 -0.19 0.25 0.25 -0.31 0.13 0.38 -0.06 0.19 0 0.5 0 0.25 0 0 0 0)" \
  "$(texts post_text 'News from the island: the ferry was 7 minutes late and nobody minded.' 'Tag somebody who needs to see this island!!!' 'SHARE if you think senior dogs deserve better')" \
  "$(texts post_topic travel travel pets)" "$(texts post_format photo photo photo)" "$(texts post_hashtags '[]' '["viral"]' '[]')" \
  "$(numbers post_age_hours 5 5 5)" "$(numbers post_media_count 1 1 1)" "$(numbers post_video_seconds '"NaN"' '"NaN"' '"NaN"')" "$(numbers post_has_link 0 0 0)" \
  "$(texts author_id a000250 a000250 a000250)" "$(numbers author_followers 4200 4200 4200)" "$(numbers author_verified 1 1 1)" \
  "$(numbers author_posts_30d 30 30 30)" "$(numbers author_likes_30d 1500 1500 1500)" "$(numbers author_strikes_365d 0 2 3)")']}'

beta() { call '{"changes": [{"profile": "default", "weights": [{"objective": "engagement_bait", "weight": '"$1"'}]}], "author": "grpcurl", "reason": "example"}' WeightsService/SetWeights; }

call '{}' RankingService/DescribeRanking
call '{"profile": "default"}' WeightsService/GetWeights
beta 0
call "$rank" RankingService/Rank
beta -4
call "$rank" RankingService/Rank
