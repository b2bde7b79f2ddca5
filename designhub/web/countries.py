"""Names of countries in the reader's language, for those that figures are known of and some more.

Who is not in the table is named by the two letters of ISO 3166, as in the address of a place.
"""

from designhub.language import Lazy, lazy

NAMES: dict[str, Lazy] = {
    "AR": lazy("Argentina"),
    "AT": lazy("Austria"),
    "AU": lazy("Australia"),
    "BD": lazy("Bangladesh"),
    "BE": lazy("Belgium"),
    "BR": lazy("Brazil"),
    "CA": lazy("Canada"),
    "CH": lazy("Switzerland"),
    "CL": lazy("Chile"),
    "CN": lazy("China"),
    "CZ": lazy("Czechia"),
    "DE": lazy("Germany"),
    "DK": lazy("Denmark"),
    "EG": lazy("Egypt"),
    "ES": lazy("Spain"),
    "FI": lazy("Finland"),
    "FR": lazy("France"),
    "GB": lazy("United Kingdom"),
    "GR": lazy("Greece"),
    "HU": lazy("Hungary"),
    "IE": lazy("Ireland"),
    "IN": lazy("India"),
    "IR": lazy("Iran"),
    "IT": lazy("Italy"),
    "JP": lazy("Japan"),
    "KE": lazy("Kenya"),
    "KR": lazy("South Korea"),
    "MX": lazy("Mexico"),
    "NL": lazy("Netherlands"),
    "NO": lazy("Norway"),
    "NZ": lazy("New Zealand"),
    "PL": lazy("Poland"),
    "PT": lazy("Portugal"),
    "SE": lazy("Sweden"),
    "TR": lazy("Türkiye"),
    "TW": lazy("Taiwan"),
    "UA": lazy("Ukraine"),
    "US": lazy("United States"),
    "ZA": lazy("South Africa"),
}


def name(code: str) -> str:
    """What a country is called: `KR` is South Korea."""
    return str(NAMES.get(code, code))
