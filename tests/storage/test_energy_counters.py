"""The energy counters of CPU packages, as files in a folder like the one that Linux has."""

import os

import pytest

from trivium.storage.energy_counters import EnergyMeter

pytestmark = pytest.mark.plain

RANGE = 262_143_328_850  # microjoules, as many processors have it


class Zone:
    """A zone of powercap: a folder with its name, its counter and the limit of it."""

    def __init__(self, folder, number, name, energy=0, limit=RANGE):
        self.path = folder / f"intel-rapl:{number}"
        self.path.mkdir(parents=True)
        (self.path / "name").write_text(f"{name}\n")
        (self.path / "max_energy_range_uj").write_text(f"{limit}\n")
        self.count(energy)

    def count(self, energy):
        (self.path / "energy_uj").write_text(f"{energy}\n")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_energy_of_an_interval_is_that_of_all_packages(tmp_path):
    first, second = Zone(tmp_path, "0", "package-0", 5_000_000), Zone(tmp_path, "1", "package-1", 7_000_000)
    for number, name in (("0:0", "core"), ("0:1", "dram"), ("2", "psys")):
        Zone(tmp_path, number, name).count(10**9)
    meter = EnergyMeter(tmp_path)
    assert meter.why_not == ""
    first.count(6_500_000)
    second.count(7_250_000)
    assert meter.lap() == 1.75
    assert meter.lap() == 0.0, "an interval begins where the last one ended"
    first.count(8_500_000)
    meter.start()
    first.count(9_000_000)
    assert meter.lap() == 0.5


def test_a_counter_that_wraps_around_goes_on_from_0(tmp_path):
    zone = Zone(tmp_path, "0", "package-0-die-0", RANGE - 999_999)
    meter = EnergyMeter(tmp_path)
    zone.count(2_000_000)
    assert meter.lap() == 3.0  # 999,999 to the limit, one to 0, two million from there


def test_an_interval_in_which_a_counter_may_have_gone_round_as_a_whole_has_no_energy(tmp_path):
    zone, clock = Zone(tmp_path, "0", "package-0", limit=65_532_610_987), Clock()
    meter = EnergyMeter(tmp_path, clock)
    zone.count(1_000_000)
    clock.now = 110.0  # at 600 W the 65,533 J are spent in 109 s
    assert meter.lap() is None
    zone.count(2_000_000)
    clock.now += 100.0
    assert meter.lap() == 1.0


def test_a_machine_without_counters_says_so(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        meter = EnergyMeter(folder)
        assert meter.why_not == f"this machine has no energy counter of a CPU package in {folder}"
        assert meter.lap() is None


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such counters")
def test_counters_that_only_root_may_read_say_what_helps(tmp_path, monkeypatch):
    zone = Zone(tmp_path, "0", "package-0")
    counter = zone.path / "energy_uj"
    counter.chmod(0)
    if os.access(counter, os.R_OK):  # root reads everything: the system's refusal, for this file alone
        read_text = type(counter).read_text

        def refuse(path, *arguments, **keywords):
            if path == counter:
                raise PermissionError(13, "Permission denied", str(path))
            return read_text(path, *arguments, **keywords)

        monkeypatch.setattr(type(counter), "read_text", refuse)
    meter = EnergyMeter(tmp_path)
    assert meter.why_not.startswith(f"only root may read {counter}: sudo chmod a+r {tmp_path}/intel-rapl:*/energy_uj")
    assert meter.lap() is None


@pytest.mark.parametrize("text", ["", "many\n", "-5\n"])
def test_a_counter_without_a_number_is_unreadable(tmp_path, text):
    zone = Zone(tmp_path, "0", "package-0")
    (zone.path / "energy_uj").write_text(text)
    assert "energy_uj holds" in EnergyMeter(tmp_path).why_not
    zone.count(5)
    meter = EnergyMeter(tmp_path)
    (zone.path / "energy_uj").write_text(text)
    assert meter.lap() is None, "readable at first, and not later"


def test_one_unreadable_package_makes_the_sum_unknown(tmp_path):
    Zone(tmp_path, "0", "package-0")
    second = Zone(tmp_path, "1", "package-1")
    (second.path / "energy_uj").unlink()
    assert "cannot be read" in EnergyMeter(tmp_path).why_not
