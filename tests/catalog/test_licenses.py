"""What licences are called, what they allow, and what they inherit."""

from dataclasses import replace

import pytest

from catalog.licenses import (
    Lookup,
    ancestors,
    commercial_problem,
    in_list,
    license_class,
    license_ids,
)
from catalog.model import Model

MODEL = Model("demo/ant", "a" * 40, "hub", license="apache-2.0")


def family(**bases: tuple[str | None, tuple[str, ...]]) -> Lookup:
    """A catalog of base models: licence and their own base models, by id."""
    known = {
        id: Model(id, "b" * 40, "hub", license=license, base_models=base_models)
        for id, (license, base_models) in bases.items()
    }
    return known.get


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("MIT", ("mit",)),
        ("Apache License, Version 2.0", ("apache-2.0",)),
        ("apache 2", ("apache-2.0",)),
        ("GPL-3.0-or-later", ("gpl-3.0",)),
        ("BSD 3-Clause License", ("bsd-3-clause",)),
        ("CC BY-NC-SA 4.0", ("cc-by-nc-sa-4.0",)),
        ("mit, apache-2.0", ("mit", "apache-2.0")),
        ("MIT OR Apache-2.0", ("mit", "apache-2.0")),
        ("other", ()),
        ("", ()),
        (None, ()),
    ],
)
def test_spellings_of_a_licence_are_one_id(text: str | None, ids: tuple[str, ...]) -> None:
    """The ids are the Hub's; texts that say nothing have none."""
    assert license_ids(text) == ids


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("apache-2.0", "permissive"),
        ("cc-by-4.0", "permissive"),
        ("agpl-3.0", "copyleft"),
        ("cc-by-sa-4.0", "copyleft"),
        ("llama3.1", "own terms"),
        ("bigscience-openrail-m", "own terms"),
        ("cc-by-nd-4.0", "own terms"),
        ("cc-by-nc-4.0", "non-commercial"),
        ("fair-noncommercial-research-license", "non-commercial"),
        ("intel-research", "non-commercial"),
        ("mit, cc-by-nc-4.0", "non-commercial"),
        ("acme-model-license, cc-by-nc-4.0", "non-commercial"),
        ("mit, gpl-3.0", "copyleft"),
        ("acme-model-license", "unknown"),
        ("other", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_licence_has_a_class(text: str | None, found: str) -> None:
    """Of several licences the strictest counts: all of them may hold."""
    assert license_class(text).value == found


def test_every_licence_of_a_model_must_be_in_the_list() -> None:
    """However it is spelled; an unknown one is in no list."""
    assert in_list("Apache 2.0", ["apache-2.0"])
    assert not in_list("mit, cc-by-nc-4.0", ["mit"])
    assert not in_list("other", ["other"])


@pytest.mark.parametrize(
    ("license", "problem"),
    [
        ("mit", None),
        ("gpl-3.0", None),
        ("cc-by-nc-4.0", "licence cc-by-nc-4.0 is non-commercial"),
        ("llama3", "'license in llama3'"),
        (None, "--allow-unknown-license"),
    ],
)
def test_commercial_use_needs_a_licence_that_allows_it(
    license: str | None, problem: str | None
) -> None:
    """What forbids it is refused, and so is what is not known to allow it."""
    found = commercial_problem(replace(MODEL, license=license), family())
    assert (found is None) if problem is None else (found is not None and problem in found)


def test_terms_that_the_user_named_count_as_read() -> None:
    """A list lets own terms pass, and never non-commercial ones."""
    llama, nc = replace(MODEL, license="llama3"), replace(MODEL, license="cc-by-nc-4.0")
    assert commercial_problem(llama, family(), allowed=["llama3"]) is None
    assert commercial_problem(nc, family(), allowed=["cc-by-nc-4.0"]) is not None


def test_an_unknown_licence_may_be_allowed() -> None:
    """The option lets what is not known pass, and nothing that is."""
    unknown = replace(MODEL, license=None)
    assert commercial_problem(unknown, family(), allow_unknown=True) is None
    nc = replace(MODEL, license="cc-by-nc-4.0")
    assert commercial_problem(nc, family(), allow_unknown=True) is not None


def test_a_non_commercial_ancestor_is_told_with_the_chain() -> None:
    """A permissive copy of a copy of a non-commercial model is not permissive."""
    child = replace(MODEL, base_models=("b/mid",))
    lookup = family(**{"b/mid": ("mit", ("c/root",)), "c/root": ("cc-by-nc-4.0", ())})
    problem = commercial_problem(child, lookup)
    assert problem is not None
    assert "demo/ant <- b/mid <- c/root is cc-by-nc-4.0 (non-commercial)" in problem


def test_a_lineage_that_runs_in_a_circle_ends() -> None:
    """Each ancestor comes once, and what the catalog does not know is passed over."""
    child = replace(MODEL, base_models=("b/one", "nobody/knows"))
    lookup = family(**{"b/one": ("mit", ("b/two",)), "b/two": ("mit", ("b/one", "demo/ant"))})
    assert [one.model.id for one in ancestors(child, lookup)] == ["b/one", "b/two"]
    assert commercial_problem(child, lookup) is None
