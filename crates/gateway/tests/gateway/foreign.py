"""Reads exports with nothing of ours: arguments are the CSV and the GeoJSON file; prints rows, sums in thousandths, ring lengths."""
import csv
import json
import sys
from decimal import Decimal

with open(sys.argv[1], newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
with open(sys.argv[2], encoding="utf-8") as file:
    places = json.load(file, parse_float=Decimal)
assert places["type"] == "FeatureCollection"
column = [name for name in rows[0] if name not in ("time_utc", "device", "cell")]
assert column == ["rain_mm"], column
thousandths = sum(Decimal(row["rain_mm"]) for row in rows) * 1000
features = places["features"]
same = sum(Decimal(feature["properties"]["value"]) for feature in features) * 1000
assert all(len(feature["geometry"]["coordinates"][0]) in (6, 7) for feature in features)
assert [f["properties"]["device"] for f in features] == [row["device"] for row in rows]
print(len(rows), int(thousandths), len(features), int(same))
