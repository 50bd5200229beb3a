"""Prints the expected columns of the text encoder, from scikit-learn.

usage: python text.py > text.json        (needs scikit-learn; 1.9 was used)

This script invents the texts. The Rust test in `../it/text.rs` encodes them and compares the columns.
"""

import json
import re
import sys

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

FOLDS = 3
OPENINGS = ["You won't believe", "This is why", "10 THINGS", "Wer hätte gedacht:", "Minutes of", "Report on", "Ökobilanz für", "Почему"]
MIDDLES = ["these tiny houses", "your old phone", "the city council", "train delays in May", "die neue Brücke", "water & power", "эти котики"]
ENDINGS = ["!!!", "...", "?", "", " (part 2)", " — “now”", ' "exclusive"…', " 🙂 x_1", " iPhone 365"]
START, END = "\ue000", "\ue001"  # no text here contains them


def tokens(text):
    return re.findall(r"\w+|[^\w\s]", text)


def shape(token):
    if token.isnumeric():
        return "9" if len(token) < 3 else "99"
    upper, lower = any(c.isupper() for c in token), any(c.islower() for c in token)
    if upper and not lower:
        return "X" if len(token) == 1 else "XX"
    if token[0].isupper():
        return "Xx"
    if lower and not upper:
        return "xx"
    return "mm" if re.match(r"\w", token) else token


def sequences(marked, longest):
    return [" ".join(marked[i:i + n]) for n in range(1, longest + 1) for i in range(len(marked) - n + 1)]


def words(text):
    return ["w" + g for g in sequences([START, *tokens(text.lower()), END], 2)]


def shapes(text):
    return ["s" + g for g in sequences([START, *map(shape, tokens(text)), END], 5)]


def cased(text):
    text = " " + " ".join(text.split()) + " "
    return [text[i:i + n] for n in range(3, 6) for i in range(len(text) - n + 1)]


FAMILIES = [
    ("words", dict(analyzer=words), 2),
    ("cased characters", dict(analyzer=cased), 5),
    ("shapes", dict(analyzer=shapes), 3),
]


def statistics(text):
    letters = sum(c.isalpha() for c in text)
    return [
        len(text), len(text.split()), sum(c.isupper() for c in text) / max(letters, 1), sum(c.isnumeric() for c in text),
        float(text.strip()[:1].isnumeric()), text.count("!"), text.count("?"), sum(c in '"“”„«»' for c in text),
        text.count("...") + text.count("…"), sum(w in ("you", "your", "this", "these") for w in re.split(r"\W+", text.lower())),
    ]


def odds(train, labels, texts, options, min_texts):
    """Log-odds column: the sum of r(g) over the known n-grams of a text, divided by the root of their number."""
    vectorizer = CountVectorizer(binary=True, min_df=min_texts, **options)
    present = vectorizer.fit_transform(train)
    c0, c1 = (np.asarray(present[labels == c].sum(axis=0)).ravel() for c in (0, 1))
    share = labels.mean()
    r = np.log((c1 + share) / (c0 + 1 - share)) - np.log(share / (1 - share))
    return mean_by_root(vectorizer.transform(texts), r)


def ridge(train, labels, texts):
    """Least squares on the n-grams of words and shapes together, by conjugate gradients."""
    vectorizer = CountVectorizer(binary=True, min_df=2, analyzer=lambda text: words(text) + shapes(text))
    x = normalize(vectorizer.fit_transform(train).astype(float))
    residual = x.T @ (labels - labels.mean())
    w, direction, norm = np.zeros_like(residual), residual.copy(), residual @ residual
    first = norm
    for _ in range(40):
        if norm <= 1e-6 * first:
            break
        image = x.T @ (x @ direction) + direction
        step = norm / (direction @ image)
        w, residual = w + step * direction, residual - step * image
        norm, before = residual @ residual, norm
        direction = residual + norm / before * direction
    return mean_by_root(vectorizer.transform(texts), w)


def mean_by_root(rows, numbers):
    return rows @ numbers / np.sqrt(np.maximum(np.asarray(rows.sum(axis=1)).ravel(), 1))


def main():
    rng = np.random.default_rng(3)
    def pick(options):
        return options[rng.integers(len(options))]
    texts = [pick(OPENINGS) + "  " * bool(rng.integers(2)) + " " + pick(MIDDLES) + pick(ENDINGS) for _ in range(90)]
    labels = np.array([int(rng.random() < (0.8 if t[0] in "YT1П" else 0.2)) for t in texts])
    folds = rng.integers(FOLDS, size=len(texts))
    others = ["You won't BELIEVE these trains!", "Quite other words", "ВОДА это 10", "a", "1."]
    columns = [np.array([statistics(t) for t in texts]).T, np.array([statistics(t) for t in others]).T]
    fitted, applied = list(columns[0]), list(columns[1])
    train = np.array(texts)
    fits = [lambda *args, o=options, m=min_texts: odds(*args, o, m) for _, options, min_texts in FAMILIES] + [ridge]
    for fit in fits:
        out_of_fold = np.zeros(len(texts))
        for fold in range(FOLDS):
            out_of_fold[folds == fold] = fit(train[folds != fold], labels[folds != fold], train[folds == fold])
        fitted.append(out_of_fold)
        applied.append(fit(train, labels, others))
    standard = [(c.mean(), c.std()) for c in fitted]
    scaled = [[((c - m) / s).clip(-10, 10).tolist() for c, (m, s) in zip(cs, standard)] for cs in (fitted, applied)]
    json.dump(dict(texts=texts, labels=[bool(l) for l in labels], folds=folds.tolist(), others=others,
                   fitted=scaled[0], applied=scaled[1]), sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
