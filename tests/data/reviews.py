"""Make a messy table of product reviews: what an analyst gets, not what a benchmark has.

    python tests/data/reviews.py FOLDER     # reviews.csv, new.csv

324 reviews on two plans and of 2024, by month. Complaints about delivery rise on the plan "free"
and fall on "plus"; the app is a topic of "plus". One date is 28/02/2024, some reviews are blank,
some in other languages, one is huge, ids have leading zeros and quotes stray.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

SENTENCES = {
    "delivery": [
        "The parcel came {late} and the courier left it {place}.",
        "Delivery took {days} days, tracking said nothing, and the box was {broken}.",
        "My order was shipped {late}; the driver never rang and put the parcel {place}.",
        "Tracking showed the parcel {place}, but the courier delivered it {late}.",
    ],
    "coffee": [
        "The espresso is {good} and the milk foam comes out {good}.",
        "I grind the beans {often}, and this machine makes {good} coffee.",
        "The grinder is loud, but the coffee tastes {good} {often}.",
        "Cleaning the brew group {often} is easy, and the espresso stays {good}.",
    ],
    "shoes": [
        "The shoes fit {good}, but the sole wore out after {days} days.",
        "I run in these sneakers {often} and my feet feel {good}.",
        "The leather is {good}, yet size {days} is narrow at the toes.",
        "The laces broke after {days} walks; otherwise the boots are {good}.",
    ],
    "app": [
        "The app crashes {often} when I log in, and the password reset fails.",
        "After the update the app is {broken}: login, menu, settings, nothing opens.",
        "Notifications of the app arrive {late} and the login screen freezes {often}.",
        "I sync my phone {often}, but the app loses the settings after each update.",
    ],
    "refund": [
        "Support answered {late}, and the refund took {days} days.",
        "I asked {often} for my money back; customer service was {good} in the end.",
        "The agent on the phone was {good} and the refund came after {days} days.",
        "Nobody in support replies; I wrote {often} about the invoice and the refund.",
    ],
    "books": [
        "The novel is {good}: the characters grow and the ending surprised me.",
        "I read the chapters {often}; the author writes {good} dialogue.",
        "The plot of this story is {good}, though the first chapters are slow.",
        "My children ask for this book {often}; the pictures and the story are {good}.",
    ],
}
WORDS = {
    "late": ["late", "two days late", "a week late", "after the holidays", "on Sunday night"],
    "place": ["in the rain", "at a neighbour's door", "behind the bins", "at the depot"],
    "broken": ["broken", "crushed", "open", "damaged", "useless"],
    "good": ["good", "great", "excellent", "fine", "lovely", "decent", "superb"],
    "often": ["every morning", "twice a week", "each day", "three times", "now and then"],
    "days": ["3", "5", "8", "9", "12", "30"],
}
FOREIGN = [
    "Das Paket kam zu spät und der Karton war beschädigt.",
    "Die Schuhe passen gut, aber die Sohle ist dünn.",
    "El café sale muy rico y la máquina es fácil de limpiar.",
    "L'application plante à chaque connexion.",
    "Il libro è bellissimo, i personaggi restano con te.",
    "アプリがすぐに落ちます。",
]


def review(theme: str, draw: random.Random) -> str:
    """Write two or three sentences on a theme."""
    sentences = draw.sample(SENTENCES[theme], draw.choice([2, 3]))
    return " ".join(
        sentence.format(**{name: draw.choice(words) for name, words in WORDS.items()})
        for sentence in sentences
    )


def write_reviews(folder: Path) -> None:
    """Write reviews.csv (id, date, plan, stars, review) and new.csv, without dates and plans."""
    draw = random.Random(7)
    themes, rows = list(SENTENCES), []
    for number in range(324):
        month, plan = number % 12, draw.choice(["free", "plus"])
        complaints = 0.2 + 0.7 * (month if plan == "free" else 11 - month)
        weights = [complaints, 1, 1, 1.5 * (plan == "plus"), 1, 1]
        theme = draw.choices(themes, weights)[0]
        date = f"2024-{month + 1:02}-{draw.randint(1, 28):02}"
        stars = draw.randint(1, 3) if theme in ("delivery", "app") else draw.randint(2, 5)
        rows.append([f"{number:05}", date, plan, stars, review(theme, draw)])
    for row, text in zip(draw.sample(rows, len(FOREIGN)), FOREIGN, strict=True):
        row[4] = text
    for row, text in zip(draw.sample(rows, 6), ["", " ", "-", "", "...", "n/a"], strict=True):
        row[4] = text
    rows[25][1] = "28/02/2024"
    rows[40][4] = " ".join(review("coffee", draw) for _ in range(120))  # some 4,000 words
    with open(folder / "reviews.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "date", "plan", "stars", "review"])
        for row in rows:
            table.writerow(row)
            if row is rows[100]:  # by hand, as quotes in the middle of a cell come
                file.write(
                    '00324,2024-05-03,free,4,The 5" screen of this "smart" mug is lovely\r\n'
                )
    with open(folder / "new.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "stars", "review"])
        for number in range(40):
            text = review(draw.choice(themes), draw)
            table.writerow([f"{1000 + number:05}", draw.randint(1, 5), text])


if __name__ == "__main__":
    write_reviews(Path(sys.argv[1]))
