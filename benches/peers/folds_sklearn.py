"""The other side of `counterweight bench folds`: scikit-learn's sparse text pipeline on the very same folds.

    counterweight bench folds --dataset data/recipes/youtube.toml --data FOLDER --objective engagement_bait --out folds.csv
    python folds_sklearn.py folds.csv FOLDER/youtube_videos.csv --text video_title

2^18 hashed word 1-2-grams and ten standardised statistics of the text, LogisticRegression(lbfgs, C=1). Prints AUC, log loss and ECE
per fold of both sides, and their means. FOLDS.csv has the columns row (in file order, from 0), fold, label and probability.

A label above the training median differs from fold to fold: give `--ratio NUMERATOR,DENOMINATOR` and the labels are made anew
for each fold, and checked against those of the file.

Needs scikit-learn, numpy and pandas.
"""

import argparse
import re

import numpy
import pandas
import scipy.sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler

ADDRESS = re.compile(r"\b(you|your|this|these)\b", re.IGNORECASE)


def statistics(text):
    letters = sum(map(str.isalpha, text))
    return [
        numpy.log1p(len(text)),
        numpy.log1p(len(text.split())),
        sum(map(str.isupper, text)) / max(letters, 1),
        sum(map(str.isdigit, text)),
        text[:1].isdigit(),
        text.count("!"),
        text.count("?"),
        text.count('"'),
        text.count("..."),
        len(ADDRESS.findall(text)),
    ]


def expected_calibration_error(labels, probabilities):
    bins = numpy.minimum((probabilities * 10).astype(int), 9)
    gaps = [abs((probabilities - labels)[bins == b].sum()) for b in range(10)]
    return sum(gaps) / len(labels)


def metrics(labels, probabilities):
    clipped = numpy.clip(probabilities, 1e-15, 1 - 1e-15)
    return [roc_auc_score(labels, probabilities), log_loss(labels, clipped), expected_calibration_error(labels, probabilities)]


def read(path):
    if path.endswith(".csv"):
        return pandas.read_csv(path)
    return pandas.read_json(path, lines=True) if path.endswith("json") else pandas.read_parquet(path)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folds")
parser.add_argument("data", help=".csv, .ndjson or .parquet")
parser.add_argument("--text", required=True, metavar="COLUMN")
parser.add_argument("--ratio", metavar="NUMERATOR,DENOMINATOR")
arguments = parser.parse_args()

ours = pandas.read_csv(arguments.folds)
data = read(arguments.data).iloc[ours["row"]].reset_index(drop=True)
texts = ["".join(text) if isinstance(text, (str, list)) else "" for text in data[arguments.text]]
words = HashingVectorizer(n_features=2**18, ngram_range=(1, 2), alternate_sign=False).transform(texts)
shape = numpy.array([statistics(text) for text in texts], dtype=float)
fold, labels = ours["fold"].to_numpy(), ours["label"].to_numpy().astype(bool)
value = None
if arguments.ratio:
    numerator, denominator = arguments.ratio.split(",")
    value = (data[numerator] / data[denominator]).to_numpy()

rows = []
for held_out in sorted(set(fold)):
    train, test = fold != held_out, fold == held_out
    if value is not None:
        labels = value > numpy.median(value[train])
        assert (labels[test] == ours["label"].to_numpy()[test].astype(bool)).all(), "the labels are not those of the file"
    scaler = StandardScaler().fit(shape[train])
    matrix = scipy.sparse.hstack([words, scaler.transform(shape)]).tocsr()
    model = LogisticRegression(C=1.0, max_iter=1000).fit(matrix[train], labels[train])
    theirs = model.predict_proba(matrix[test])[:, 1]
    rows.append([held_out, *metrics(labels[test], ours["probability"].to_numpy()[test]), *metrics(labels[test], theirs)])

print("fold | counterweight: AUC, log loss, ECE | scikit-learn: AUC, log loss, ECE")
for number, *values in rows + [["mean", *numpy.mean([row[1:] for row in rows], axis=0)]]:
    print(f"{number} | {' '.join(f'{v:.4f}' for v in values[:3])} | {' '.join(f'{v:.4f}' for v in values[3:])}")
