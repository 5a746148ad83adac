"""Batches of Parquet: every part file of the day, and only the columns needed."""

from __future__ import annotations

from pathlib import Path

import great_expectations as gx
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import made

import kl_drift as kd
from kl_drift.errors import SnapshotInvalidError, SnapshotNotFoundError
from kl_drift.gx import (
    ExpectColumnKLDriftToBeLessThan,
    ExpectTableKLDriftToBeLessThan,
    parquet_batch,
)

DAY = "dt=2026-01-02"


@pytest.fixture
def days(tmp_path):
    """Return a dataset of two days, each in three part files; the column `payload` is damaged."""
    folder = tmp_path / "days"
    for day, shift in (("dt=2026-01-01", 0.0), (DAY, 0.6)):
        (folder / day).mkdir(parents=True)
        frame = made(6_000, seed=3, shift=shift).assign(payload="x" * 50)
        for part in range(3):
            path = folder / day / f"part-{part}.parquet"
            frame.iloc[part::3].to_parquet(path, index=False)
            damage(path, "payload")
    return folder


def damage(path: Path, column: str) -> None:
    """Overwrite the pages of one column, so that whoever reads it fails."""
    footer = pq.ParquetFile(path).metadata.row_group(0)
    chunks = [footer.column(place) for place in range(footer.num_columns)]
    (chunk,) = [each for each in chunks if each.path_in_schema == column]
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(data)


@pytest.fixture
def narrow(days, tmp_path):
    path = tmp_path / "reference.json"
    kd.save(kd.fit(made(), columns=["amount", "code"]), path)
    return str(path)


def validated(context, data, suite_name, *expectations, **options):
    suite = context.suites.add(
        gx.ExpectationSuite(name=suite_name, expectations=list(expectations))
    )
    definition = gx.ValidationDefinition(name=suite_name, data=data, suite=suite)
    return context.validation_definitions.add(definition).run(**options)


def test_the_damage_is_real(days) -> None:
    with pytest.raises(OSError, match=r"\w"):
        pd.read_parquet(days / DAY)


def test_a_batch_of_a_snapshot_has_all_its_part_files_and_only_the_columns_needed(
    context, days, narrow
) -> None:
    frame = parquet_batch(days / DAY, narrow)
    assert list(frame.columns) == ["amount", "code"]
    assert len(frame) == 6_000
    data = context.data_sources.add_pandas("p").add_dataframe_asset("a")
    result = validated(
        context,
        data.add_batch_definition_whole_dataframe("day"),
        "drift",
        ExpectTableKLDriftToBeLessThan(reference=narrow),
        batch_parameters={"dataframe": frame},
    )
    (found,) = result.results
    expected = kd.compare(days / DAY, narrow)
    assert found.result["details"]["columns"][0]["kl"] == expected["amount"].kl
    assert found.result["details"]["columns"][0]["current_rows"] == 6_000


def test_a_partition_is_chosen_by_a_snapshot(days, narrow) -> None:
    both = kd.Snapshot(path=str(days))
    first = kd.Snapshot(path=str(days), where={"dt": "2026-01-01"})
    assert len(parquet_batch(both, narrow)) == 12_000
    assert len(parquet_batch(first, narrow)) == 6_000
    besides = parquet_batch(both, narrow, besides=["dt", "count"])
    assert besides["dt"].value_counts().to_dict() == {"2026-01-01": 6_000, "2026-01-02": 6_000}
    assert str(besides["count"].dtype) == "int64[pyarrow]"


def test_only_columns_of_the_reference_can_be_asked_for(days, narrow) -> None:
    assert list(parquet_batch(days / DAY, narrow, columns=["code"]).columns) == ["code"]
    with pytest.raises(SnapshotNotFoundError):
        parquet_batch(days / "dt=2026-01-09", narrow)


def test_both_columns_of_a_pair_are_read(days, tmp_path) -> None:
    reference = kd.fit(made(), columns=kd.Selection(pairs=(("amount", "code"),)))
    kd.save(reference, tmp_path / "pairs.json")
    batch = parquet_batch(days / DAY, tmp_path / "pairs.json", columns=["amount × code"])
    assert set(batch.columns) == {"amount", "code"}


def test_a_snapshot_with_none_of_the_columns_is_refused(tmp_path, narrow) -> None:
    pd.DataFrame({"other": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(SnapshotInvalidError, match="has none of the columns amount, code"):
        parquet_batch(tmp_path / "other.parquet", narrow)


def test_every_type_comes_out_as_it_went_in(tmp_path) -> None:
    import decimal

    frame = pd.DataFrame(
        {
            "when": pd.date_range("2026-01-01", periods=500, freq="h"),
            "price": [decimal.Decimal(n) / 4 for n in range(500)],
            "flag": pd.array([True, False, None, True, True] * 100, dtype="boolean"),
            "label": pd.Categorical(["a", "b", None, "a", "b"] * 100),
            "big": pd.array([2**62 + 1, None, 3, 4, 5] * 100, dtype="Int64"),
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    reference = kd.fit(tmp_path / "a.parquet", judge={"when": ["hour", "value"]})
    kd.save(reference, tmp_path / "reference.json")
    batch = parquet_batch(tmp_path / "a.parquet", tmp_path / "reference.json")
    counted = kd.scan(batch, like=reference)
    assert counted.counted == kd.scan(tmp_path / "a.parquet", like=reference).counted
    assert "hour(when)" in counted.counted


def test_an_asset_whose_regex_ends_at_the_folder_reads_all_its_parts_and_the_columns_stated(
    context, days, narrow
) -> None:
    source = context.data_sources.add_pandas_filesystem("days", base_directory=days)
    asset = source.add_parquet_asset("narrow", columns=["amount", "code"])
    data = asset.add_batch_definition_path("day", path=DAY)
    result = validated(
        context,
        data,
        "drift",
        ExpectColumnKLDriftToBeLessThan(column="amount", reference=narrow, threshold=0.05),
    )
    (found,) = result.results
    assert found.result["details"]["columns"][0]["current_rows"] == 6_000
    assert found.success is False


def test_a_daily_regex_over_part_files_sees_one_of_them_only(context, days, narrow) -> None:
    """The trap that the how-to warns of; should it ever close, so much the better."""
    source = context.data_sources.add_pandas_filesystem("days", base_directory=days)
    asset = source.add_parquet_asset("parts", columns=["amount", "code"])
    data = asset.add_batch_definition_daily(
        "day", regex=r"dt=(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)/part-\d\.parquet"
    )
    result = validated(
        context,
        data,
        "drift",
        ExpectColumnKLDriftToBeLessThan(column="amount", reference=narrow, threshold=0.05),
        batch_parameters={"year": 2026, "month": 1, "day": 2},
    )
    assert result.results[0].result["details"]["columns"][0]["current_rows"] == 2_000
