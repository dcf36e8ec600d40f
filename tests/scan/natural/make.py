"""Counts how natural text and identifiers are spelled, and writes src/scan/natural.bin.

    make.py FOLDER..          # source trees and documentation: crates, Go modules, /usr/include, /usr/lib/python3, /usr/share/doc

Reads text files of source and prose, takes every word (letters and digits, joined by `_ - . / :`) that at least three files hold, so that
keys, hashes and other accidents are out, and counts each once: a word that many files hold says no more about spelling than a rare one.

The output, 22,002 bytes, is costs in sixteenths of a bit (a byte each, 255 at most):
28 * 28 * 28   a symbol after two others; a symbol is a letter in any case (0..25), a digit (26), or anything else, also the start (27)
2 * 5 * 5      a letter is small (0) or capital (1) after two characters of the classes other, digit, small, capital, start

Only statistics are kept, none of the words.
"""
import math, os, re, sys, collections

WORD = re.compile(rb'[_\-]*[A-Za-z][A-Za-z0-9]*(?:[_\-./:]+[A-Za-z0-9]+)*_*')
KINDS = ('.rs', '.go', '.py', '.c', '.h', '.hpp', '.js', '.ts', '.java', '.pl', '.pm', '.rb', '.sh', '.md', '.txt', '.toml', '.yaml', '.yml', '.json', '.html')
FILES, BYTES = 40_000, 200_000

def files():
    found = []
    for folder in sys.argv[1:]:
        for where, folders, names in os.walk(folder):
            found += [os.path.join(where, name) for name in names if name.endswith(KINDS)]
    found.sort()
    return found[:: max(1, len(found) // FILES)]

def symbol(byte):
    if 97 <= byte <= 122: return byte - 97
    if 65 <= byte <= 90: return byte - 65
    return 26 if 48 <= byte <= 57 else 27

def case(byte):
    return 1 if 48 <= byte <= 57 else 2 if 97 <= byte <= 122 else 3 if 65 <= byte <= 90 else 0

held = collections.Counter()
for path in files():
    try:
        with open(path, 'rb') as file: text = file.read(BYTES)
    except OSError: continue
    held.update({word for word in WORD.findall(text) if 3 <= len(word) <= 48})
words = [word for word, count in held.items() if count >= 3]
print(len(held), 'words,', len(words), 'in three files or more', file=sys.stderr)

three = collections.Counter(); two = collections.Counter(); one = collections.Counter(); cases = collections.Counter()
for word in words:
    before, last = 27, 27
    case_before, case_last = 4, 4
    for byte in word + b' ':
        now = symbol(byte)
        three[before, last, now] += 1; two[last, now] += 1; one[now] += 1
        if now < 26: cases[case_before, case_last, case(byte) - 2] += 1
        before, last = last, now
        case_before, case_last = case_last, case(byte)

total = sum(one.values())
out = bytearray()
for a in range(28):
    for b in range(28):
        all_three = sum(three[a, b, c] for c in range(28)); all_two = sum(two[b, c] for c in range(28))
        for c in range(28):
            # Each order leans on the one below it, as if that had been seen a few times (Dirichlet smoothing).
            single = (one[c] + 1) / (total + 28)
            double = (two[b, c] + 20 * single) / (all_two + 20)
            chance = (three[a, b, c] + 20 * double) / (all_three + 20)
            out.append(min(255, round(-16 * math.log2(chance))))
for capital in range(2):
    for a in range(5):
        for b in range(5):
            chance = (cases[a, b, capital] + 1) / (cases[a, b, 0] + cases[a, b, 1] + 2)
            out.append(min(255, round(-16 * math.log2(chance))))
target = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../src/scan/natural.bin')
with open(target, 'wb') as file: file.write(out)
