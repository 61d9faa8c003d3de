"""ChirpStack's side of the gateway's messages, by its own types. Speaks in lines of hex on standard input and output.

up ENCODING MESSAGE     -> what an event/up says
stats ENCODING MESSAGE  -> what an event/stats says
conn ENCODING MESSAGE   -> what a state/conn says
ack ENCODING MESSAGE    -> what an event/ack says
down ENCODING           -> a command/down
"""
import sys

from chirpstack_api import gw
from google.protobuf import json_format


def read(kind, encoding: str, message: bytes):
    if encoding == "json":
        # A name that ChirpStack does not know is an error here.
        return json_format.Parse(message, kind())
    read = kind.FromString(message)
    # So is a number that it does not know.
    again = kind()
    again.CopyFrom(read)
    again.DiscardUnknownFields()
    assert again.SerializeToString() == read.SerializeToString()
    return read


def time(stamp) -> str:
    return f"{stamp.seconds}.{stamp.nanos // 1_000_000:03}"


def up(frame) -> str:
    lora, rx = frame.tx_info.modulation.lora, frame.rx_info
    return " ".join(str(it) for it in [
        frame.phy_payload.hex(), frame.tx_info.frequency, lora.bandwidth, lora.spreading_factor, gw.CodeRate.Name(lora.code_rate),
        rx.gateway_id, rx.uplink_id, time(rx.gw_time), rx.rssi, rx.snr, rx.context.hex(), gw.CRCStatus.Name(rx.crc_status)])


def stats(said) -> str:
    return " ".join(str(it) for it in [
        said.gateway_id, time(said.time), said.rx_packets_received, said.rx_packets_received_ok, said.tx_packets_received,
        said.tx_packets_emitted])


def conn(said) -> str:
    return f"{said.gateway_id} {gw.ConnState.State.Name(said.state)}"


def ack(said) -> str:
    return " ".join([said.gateway_id, str(said.downlink_id)] + [gw.TxAckStatus.Name(item.status) for item in said.items])


def down(encoding: str) -> str:
    frame = gw.DownlinkFrame(downlink_id=4_000_000_042, gateway_id="00800000a0000a5c")
    slow = gw.LoraModulationInfo(bandwidth=125_000, spreading_factor=12, code_rate=gw.CR_4_5, polarization_inversion=True)
    context = (4_000_000_000).to_bytes(4, "big")
    for frequency, power, seconds, nanos in [(868_300_000, 14, 1, 0), (869_525_000, 27, 2, 500_000_000)]:
        item = frame.items.add(phy_payload=b"\x20" * 17)
        info = item.tx_info
        info.frequency, info.power, info.context = frequency, power, context
        info.modulation.lora.CopyFrom(slow)
        info.timing.delay.delay.seconds, info.timing.delay.delay.nanos = seconds, nanos
    item = frame.items.add(phy_payload=b"\x60" * 20)
    item.tx_info.frequency, item.tx_info.power = 868_800_000, 14
    item.tx_info.modulation.fsk.frequency_deviation, item.tx_info.modulation.fsk.datarate = 25_000, 50_000
    item.tx_info.timing.immediately.SetInParent()
    item = frame.items.add(phy_payload=b"\x60" * 20)
    item.tx_info.frequency = 869_525_000
    item.tx_info.modulation.lora.CopyFrom(slow)
    item.tx_info.timing.gps_epoch.time_since_gps_epoch.seconds = 1_400_000_000
    if encoding == "json":
        return json_format.MessageToJson(frame, indent=None).encode().hex()
    return frame.SerializeToString().hex()


KINDS = {"up": (gw.UplinkFrame, up), "stats": (gw.GatewayStats, stats), "conn": (gw.ConnState, conn), "ack": (gw.DownlinkTxAck, ack)}

for line in sys.stdin:
    question, encoding, *message = line.split()
    if question == "down":
        print(down(encoding))
    else:
        kind, say = KINDS[question]
        print(say(read(kind, encoding, bytes.fromhex(message[0]))))
