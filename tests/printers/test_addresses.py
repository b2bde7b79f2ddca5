"""Addresses of printers in words that go further than their workshop."""

import pytest

from printers.addresses import without_addresses


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("job: GET http://192.168.7.20:5000/api/job: refused", "job: GET … refused"),
        ("https://octopi.lan/printer is away", "… is away"),
        ("octopi leads to an address (10.0.0.7) outside", "octopi leads to an address (… outside"),
        ("http://cut-off.at.the.e", "…"),
        ("Offline after error: MINTEMP triggered, 3.5 V", None),
        ("Operational", None),
        ("", None),
    ],
)
def test_nobody_reads_where_a_printer_is(said: str, read: str | None) -> None:
    assert without_addresses(said) == (said if read is None else read)
