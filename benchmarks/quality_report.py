"""What quality.py found, as a table on the screen, Markdown, CSV and plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from peers import MODULES
from rich.console import Console
from rich.table import Table

KEYS = ["corpus", "n_topics", "model"]
COLUMNS = {
    "npmi": ("NPMI", 3),
    "c_v": ("C_V", 3),
    "diversity": ("diversity", 3),
    "inverted_rbo": ("inv. RBO", 3),
    "judged_intruder": ("intruder, e5", 3),
    "judged_cosine": ("cosine, e5", 3),
    "intruder": ("intruder, MiniLM", 3),
    "wmd": ("WMD", 3),
    "nmi": ("NMI", 3),
    "purity": ("purity", 3),
    "f1": ("F1", 3),
    "coverage": ("coverage", 2),
    "n_topics_found": ("topics", 0),
    "fit_seconds": ("fit, s", 1),
    "change_seconds": ("change, s", 2),
    "peak_megabytes": ("peak, MB", 0),
}
TIMED = ("fit_seconds", "change_seconds", "peak_megabytes")
RANKED = ("npmi", "c_v", "judged_intruder")  # ours is to be first or second in these
PLOTTED = ["npmi", "c_v", "diversity", "judged_intruder", "nmi"]
BUSY = 3.0  # load above which seconds are marked


def summarise(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return one line per corpus, count and model: medians, spreads (max − min), failures.

    Ours comes first, then the others by NPMI. Later rows of one corpus, count, model and seed
    replace earlier ones.
    """
    frame = pd.DataFrame(rows).drop_duplicates([*KEYS, "seed"], keep="last")
    frame = frame.reindex(columns=[*KEYS, "seed", "error", "change", "load", *COLUMNS])
    # Without a re-cut, another number of topics costs another fit.
    refits = frame["change"].eq("refit")
    frame.loc[refits, "change_seconds"] = frame.loc[refits, "fit_seconds"]
    groups = frame.groupby(KEYS, sort=False)
    values = groups[[*COLUMNS, "load"]]
    spread = (values.max() - values.min()).add_suffix("_spread")
    summary = pd.concat([values.median(), spread], axis=1)
    summary["seeds"] = groups["npmi"].count()
    summary["error"] = groups["error"].agg(lambda found: next(iter(found.dropna()), None))
    summary = summary.reset_index()
    summary["of_others"] = summary["model"] != "ours"
    order = ["corpus", "n_topics", "of_others", "npmi"]
    summary = summary.sort_values(order, ascending=[True, True, True, False])
    return summary.drop(columns="of_others").reset_index(drop=True)


def cell(line: pd.Series, column: str) -> str:
    """Write one median, with ± half the spread where there are several seeds."""
    digits = COLUMNS[column][1]
    if pd.isna(line[column]):
        return "–"
    half = line[f"{column}_spread"] / 2
    text = f"{line[column]:.{digits}f}"
    if column == "fit_seconds" and not line["load"] <= BUSY:  # not known counts as busy
        return f"{text}*"
    plain = line["seeds"] < 2 or column in TIMED or (column == "n_topics_found" and half == 0)
    return text if plain else f"{text} ±{half:.{digits}f}"


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the summary as a rich table, one per corpus and number of topics."""
    if not rows:
        return
    for (corpus, n_topics), lines in summarise(rows).groupby(["corpus", "n_topics"], sort=False):
        table = Table(title=f"{corpus}, {n_topics} topics")
        table.add_column("model")
        for title, _ in COLUMNS.values():
            table.add_column(title, justify="right")
        for _, line in lines.iterrows():
            if pd.isna(line["npmi"]):
                table.add_row(line["model"], f"[red]{line['error']}[/red]")
            else:
                table.add_row(line["model"], *[cell(line, column) for column in COLUMNS])
        Console(width=190).print(table)


def write_report(rows: list[dict[str, Any]], folder: Path) -> None:
    """Write quality.md, quality.csv and the plots into `folder`."""
    summary = summarise(rows)
    summary.to_csv(folder / "quality.csv", index=False, float_format="%.5g")
    (folder / "quality.md").write_text(as_markdown(summary, rows), encoding="utf-8")
    plot_by_count(summary, folder)
    plot_by_seconds(summary, folder)


def as_markdown(summary: pd.DataFrame, rows: list[dict[str, Any]]) -> str:
    """Write the summary as Markdown tables; best of a column in bold."""
    versions = ", ".join(f"{name} {number}" for name, number in rows[-1]["versions"].items())
    machines = " or ".join(sorted({row["machine"] for row in rows}))
    parts = [
        f"Measured on {machines}; {versions}. Median over seeds, ± half the range. "
        "NPMI, C_V, diversity and cosine on the top 10 words, the corpus itself as reference. "
        "Intruders among 5 top words and cosines are judged by vectors of words: e5 is "
        "multilingual-e5-small, which no model has seen; MiniLM is the encoder of the documents, "
        "which judges some models by what they were made of. "
        "'topics' is how many the model found; not every model reaches the number asked for. "
        "'change' is the time to another number of topics: a re-cut where the model has one, "
        "else another fit. Ours is fitted once for each seed and re-cut to every number of topics. "
        f"Seconds with * were taken beside other jobs (load above {BUSY:g}, or not recorded).\n"
    ]
    parts += overview(summary)
    for (corpus, n_topics), lines in summary.groupby(["corpus", "n_topics"], sort=False):
        titles = [title for title, _ in COLUMNS.values()]
        parts.append(f"\n### {corpus}, {n_topics} topics\n")
        parts.append("| model | seeds | " + " | ".join(titles) + " |")
        parts.append("|---|---:|" + "---:|" * len(titles))
        for _, line in lines.iterrows():
            if pd.isna(line["npmi"]):
                parts.append(
                    f"| {line['model']} | 0 | {line['error']} |" + " |" * (len(titles) - 1)
                )
                continue
            cells = [mark(cell(line, column), line, lines, column) for column in COLUMNS]
            parts.append(f"| {line['model']} | {line['seeds']} | " + " | ".join(cells) + " |")
        parts.append(f"\n{standing(lines)}")
    return "\n".join(parts) + "\n"


def overview(summary: pd.DataFrame) -> list[str]:
    """Write where ours stands in every corpus and count, a line each; misses in bold."""
    parts = [
        "\n### Where ours stands\n",
        "Place of ours among the models compared, and the two that lead where ours does not. Bars, "
        "from 50 topics on: first or second in NPMI, C_V and intruder (as e5 judges, among the "
        "models it has judged), diversity not below the median. **Bold**: missed.\n",
        "| corpus, topics | models | " + " | ".join(COLUMNS[name][0] for name in RANKED) + " |"
        " diversity, median |",
        "|---|---:|" + "---|" * (len(RANKED) + 1),
    ]
    for (corpus, n_topics), lines in summary.groupby(["corpus", "n_topics"], sort=False):
        scored = lines.dropna(subset="npmi").set_index("model")
        if "ours" not in scored.index:
            continue
        ours = scored.loc["ours"]
        cells = []
        for column in RANKED:
            if pd.isna(ours[column]):
                cells.append("–")
                continue
            ahead = scored[scored[column] > ours[column]].nlargest(2, column)
            place = (scored[column] > ours[column]).sum() + 1
            text = f"{cell(ours, column)}, {place}."
            leaders = ", ".join(f"{name} {line[column]:.3f}" for name, line in ahead.iterrows())
            text = f"**{text}**" if n_topics >= 50 and place > 2 else text
            cells.append(f"{text} ({leaders})" if leaders else text)
        median = scored["diversity"].median()
        diversity = f"{ours['diversity']:.3f}, {median:.3f}"
        missed = n_topics >= 50 and ours["diversity"] < median
        cells.append(f"**{diversity}**" if missed else diversity)
        parts.append(f"| {corpus}, {n_topics} | {len(scored)} | " + " | ".join(cells) + " |")
    return parts


def standing(lines: pd.DataFrame) -> str:
    """Say where ours stands: first or second is the goal, in diversity the median."""
    scored = lines.dropna(subset="npmi").set_index("model")
    if "ours" not in scored.index or len(scored) < 3:
        return "Too few models here to say where ours stands."
    met, missed = [], []
    for column in RANKED:
        name, ours = COLUMNS[column][0], scored.loc["ours", column]
        if pd.isna(ours):
            continue
        better = scored[column] > ours
        if better.sum() < 2:
            met.append(f"{name} {'second' if better.any() else 'first'}")
        else:
            second = scored[column].nlargest(2).iloc[1]
            missed.append(f"{name} is {better.sum() + 1}., {second - ours:.3f} behind the second")
    diversity, median = scored.loc["ours", "diversity"], scored["diversity"].median()
    if diversity >= median:
        met.append("diversity not below the median")
    else:
        missed.append(f"diversity is {median - diversity:.3f} below the median")
    text = f"Ours of {len(scored)}: {', '.join(met) or 'nothing met'}."
    return text + (f" **Missed:** {'; '.join(missed)}." if missed else "")


def mark(text: str, line: pd.Series, lines: pd.DataFrame, column: str) -> str:
    """Put the best of a column in bold."""
    if column == "n_topics_found":
        return text
    best = lines[column].min() if column in TIMED else lines[column].max()
    return f"**{text}**" if line[column] == best and len(lines) > 1 else text


def plot_by_count(summary: pd.DataFrame, folder: Path) -> None:
    """Plot each measure against the number of topics, one figure per corpus."""
    import matplotlib.pyplot as plt

    style = styles(summary)
    for corpus, lines in summary.dropna(subset="npmi").groupby("corpus"):
        size = (3.4 * len(PLOTTED), 3.4)
        figure, axes = plt.subplots(1, len(PLOTTED), figsize=size, layout="constrained")
        counts = sorted(lines["n_topics"].unique())
        for axis, column in zip(axes, PLOTTED, strict=True):
            for model in [name for name in style if name in set(lines["model"])]:
                points = lines[lines["model"] == model].sort_values("n_topics")
                axis.plot(points["n_topics"], points[column], label=model, **style[model])
            axis.set(title=COLUMNS[column][0], xlabel="topics", xscale="log")
            axis.set_xticks(counts, [str(count) for count in counts])
            axis.set_xticks([], minor=True)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
        figure.suptitle(corpus)
        figure.savefig(folder / f"quality-{corpus}-topics.png", dpi=90)
        plt.close(figure)


def plot_by_seconds(summary: pd.DataFrame, folder: Path) -> None:
    """Plot NPMI against seconds of fitting, one panel per corpus, at the commonest count."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullLocator

    lines = summary.dropna(subset="npmi")
    if lines.empty:
        return
    style = styles(summary)
    n_topics = lines["n_topics"].mode()[0]
    lines = lines[lines["n_topics"] == n_topics]
    corpora = list(lines["corpus"].unique())
    figure, axes = plt.subplots(
        1, len(corpora), figsize=(3.6 * len(corpora), 3.6), squeeze=False, layout="constrained"
    )
    handles = {}
    for axis, corpus in zip(axes[0], corpora, strict=True):
        for _, line in lines[lines["corpus"] == corpus].iterrows():
            look = style[line["model"]] | {"linestyle": "none"}
            (handles[line["model"]],) = axis.plot(line["fit_seconds"], line["npmi"], **look)
        axis.set(title=corpus, xlabel="seconds to fit, given embeddings", xscale="log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_locator(NullLocator())
    axes[0, 0].set_ylabel(f"NPMI, {n_topics} topics")
    shown = [model for model in style if model in handles]
    figure.legend([handles[model] for model in shown], shown, loc="outside right center")
    figure.savefig(folder / "quality-seconds.png", dpi=90)
    plt.close(figure)


def styles(summary: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Give every model one look in all plots; ours is thick, black, and drawn last."""
    import matplotlib.pyplot as plt

    others = [model for model in MODULES if model != "ours" and model in set(summary["model"])]
    looks: dict[str, dict[str, Any]] = {
        model: {"color": plt.get_cmap("tab20")(place), "marker": "osD^v"[place % 5]}
        for place, model in enumerate(others)
    }
    return looks | {"ours": {"color": "black", "marker": "o", "linewidth": 2.5, "markersize": 8}}
