"""NMEA 0183: what each sentence tells, what is not believed, and pynmea2 as a peer."""

from __future__ import annotations

from decimal import Decimal

import pynmea2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import load
from protocols.nmea0183.sentence import MAX_LENGTH, Sentence, build, parse
from protocols.nmea0183.values import UNITS, values
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Frame, Noise
from protocols.toolkit.polling import Values
from protocols.toolkit.pushing import Telegram
from tests.protocols.vectors import described, frames, hear, vectors

ENTRY = load("nmea0183")
BY_THE_SEA = {"latitude": 49.2741667, "longitude": -123.1853333}
VALID = [bytes.fromhex(vector["hex"]) for vector in vectors("nmea0183") if vector["valid"]]
texts = st.text(
    st.characters(codec="ascii", exclude_characters=",*$!\\^", exclude_categories=["Cc"]), max_size=8
)


def sentence(text: str) -> bytes:
    """A sentence written without its check, as it goes on the wire."""
    address, *fields = text.split(",")
    return build(address[:2], address[2:], fields)


def told(text: str) -> Values:
    (event,) = hear(ENTRY, [sentence(text)])
    assert isinstance(event, Frame)
    return values(parse(event.data))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "WIMWD,302.5,T,295.1,M,9.1,N,4.7,M",
            {"wind_direction": 302.5, "wind_direction_magnetic": 295.1, "true_wind_speed": 4.7},
        ),
        ("WIMWD,,,295.1,M,9.1,N,,", {"wind_direction_magnetic": 295.1, "true_wind_speed": 4.681}),
        ("IIVWR,75,R,1.0,N,0.51,M,1.85,K", {"apparent_wind_angle": 75, "apparent_wind_speed": 0.514}),
        ("IIVWR,24,L,,,5.3,M,,", {"apparent_wind_angle": 336, "apparent_wind_speed": 5.3}),
        ("IIVWR,0,L,,,,,18,K", {"apparent_wind_angle": 0, "apparent_wind_speed": 5.0}),
        ("IIVWR,190,L,,,,,18,K", {"apparent_wind_speed": 5.0}),
        ("IIVWT,030.5,R,,,5.3,M,19.1,K", {"true_wind_angle": 30.5, "true_wind_speed": 5.3}),
        ("WIMTA,21.7,C", {"air_temperature": 21.7}),
        ("WIMTA,71.0,F", {"air_temperature": 21.67}),
        ("WIMTA,,C", {}),
        ("IIMTW,-1.5,C", {"water_temperature": -1.5}),
        ("WIMHU,68.2,11.3,17.9,C", {"humidity": 68.2, "absolute_humidity": 11.3, "dew_point": 17.9}),
        ("WIMHU,68.2,,,C", {"humidity": 68.2}),
        ("WIMMB,29.9870,I,1.0154,B", {"pressure": 1015.4}),
        ("WIMMB,29.9870,I,,B", {"pressure": 1015.48}),
        ("HEHDT,274.07,T", {"heading": 274.07}),
        ("HCHDM,238.5,M", {"heading_magnetic": 238.5}),
        ("HCHDG,101.1,,,7.1,W", {"heading_magnetic": 101.1, "heading": 94.0}),
        ("HCHDG,359.5,1.5,E,3.0,E", {"heading_magnetic": 1.0, "heading": 4.0}),
        ("HCHDG,001.0,2.0,W,,", {"heading_magnetic": 359.0}),
        ("HEROT,-12.5,A", {"rate_of_turn": -12.5}),
        ("HEROT,-12.5,V", {}),
        ("GPVTG,054.7,T,034.4,M,005.5,N,010.2,K", {"course": 54.7, "course_magnetic": 34.4, "speed": 2.829}),
        ("GPVTG,,T,,M,,N,18.0,K,A", {"speed": 5.0}),
        ("GPVTG,054.7,T,034.4,M,005.5,N,010.2,K,N", {}),
        ("GPVTG,054.7,034.4,005.5,010.2", {"course": 54.7, "course_magnetic": 34.4, "speed": 2.829}),
        (
            "VWVHW,100.2,T,95.1,M,6.5,N,12.0,K",
            {"heading": 100.2, "heading_magnetic": 95.1, "water_speed": 3.344},
        ),
        ("SDDBT,15.5,f,4.7,M,2.6,F", {"depth": 4.7}),
        ("SDDPT,4.1,0.0", {"depth": 4.1}),
        ("GPGLL,4916.45,N,12311.12,W,225444,A", BY_THE_SEA),
        ("GPGLL,4916.45,N,12311.12,W,225444,V", {}),
        ("GPGLL, 4916.45,n,12311.12 ,w", BY_THE_SEA),
        ("GPRMC,123519,D,4916.45,N,12311.12,W,,,230394,,", BY_THE_SEA),
        ("GPRMC,123519,,4916.45,N,12311.12,W,,,230394,,,A", BY_THE_SEA),
        ("GPRMC,123519,,4916.45,N,12311.12,W,,,230394,,,N", {}),
    ],
)
def test_what_wind_weather_and_motion_sentences_say(text: str, expected: Values) -> None:
    assert told(text) == expected


def test_every_value_that_a_sentence_gives_has_a_unit_in_the_list_of_keys() -> None:
    keys = set(told("WIMWD,302.5,T,295.1,M,9.1,N,4.7,M")) | set(told("HCHDG,101.1,,,7.1,W"))
    assert keys <= set(UNITS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WIMWV,045,R,011.63,N,A", {"apparent_wind_angle": 45, "apparent_wind_speed": 5.983}),
        ("WIMWV,39.5,R,1.3,M,A", {"apparent_wind_angle": 39.5, "apparent_wind_speed": 1.3}),
        ("WIMWV,214.8,T,36.0,K,A", {"true_wind_angle": 214.8, "true_wind_speed": 10.0}),
        ("WIMWV,214.8,R,10,S,A", {"apparent_wind_angle": 214.8, "apparent_wind_speed": 4.47}),
        ("WIMWV,,R,,M,V", {}),
        ("WIMWV,39,R,1.3,M,V", {}),
        ("WIMWV,39,R,1.3,M", {}),
        ("WIMWV,39,R,1.3,Q,A", {"apparent_wind_angle": 39}),
        (
            "WIMDA,29.9870,I,1.0154,B,27.6,C,15.1,C,68.2,,17.9,C,116.4,T,107.7,M,1.2,N,0.6,M",
            {
                "pressure": 1015.4,
                "air_temperature": 27.6,
                "water_temperature": 15.1,
                "humidity": 68.2,
                "dew_point": 17.9,
                "wind_direction": 116.4,
                "wind_direction_magnetic": 107.7,
                "true_wind_speed": 0.6,
            },
        ),
        ("WIMDA,,I,,B,-3.5,C,,C,,,,C,,T,,M,2.0,N,,M", {"air_temperature": -3.5, "true_wind_speed": 1.029}),
        (
            "WIMDA,29.92,I,,B,20,C,,,,,,,270,T",
            {"pressure": 1013.21, "air_temperature": 20, "wind_direction": 270},
        ),
        ("WIMDA,29.92,I,0,B", {"pressure": 0}),
        ("WIMDA", {}),
        (
            "WIXDR,C,24.0,C,0,C,25.2,C,1,H,47.4,P,0,P,1010.1,H,0,S,0.1,M,0,A,316,D,2",
            {
                "temperature_0": 24.0,
                "temperature_1": 25.2,
                "humidity_0": 47.4,
                "pressure_0": 1010.1,
                "speed_0": 0.1,
                "angle_2": 316,
            },
        ),
        ("YXXDR,C,17.09,C,T-N1052,C,,C,BARO,U,12.1,V", {"temperature_t_n1052": 17.09}),
        ("IIXDR,P,1.02481,B,Barometer,P,5.0,B,", {"pressure_barometer": 1024.81, "pressure_1": 5000.0}),
        (
            "IIXDR,P,101325,P,A,P,29.92,I,B,P,760,M,C",
            {"pressure_a": 1013.25, "pressure_b": 1013.21, "pressure_c": 1013.25},
        ),
        (
            "IIXDR,C,68.0,F,,C,293.15,K,,C,20.0,C,",
            {"temperature_1": 20.0, "temperature_2": 20.0, "temperature_3": 20.0},
        ),
        ("IIXDR,S,10,N,,S,3.6,K,MAST,S,1,,", {"speed_1": 5.144, "speed_mast": 1.0, "switch_1": 1}),
        ("IIXDR,C,,C,,C,7,C,", {"temperature_2": 7}),
        (
            "IIXDR,C,7,C,Eng,C,8,C,ENG,C,9,C,2,C,10,C,,C,11,C,",
            {
                "temperature_eng": 7,
                "temperature_eng_2": 8,
                "temperature_2": 9,
                "temperature_1": 10,
                "temperature_3": 11,
            },
        ),
        ("IIXDR,P,1.0,,,C,7,X,A,U,12.1,N,2", {"voltage_2": 12.1}),
        ("IIXDR,fix,7,,quality,E,8,,", {"transducer_fix_quality": 7, "transducer_e_1": 8}),
        (
            "GPRMC,123519.00,A,4807.038,N,01131.000,W,022.4,084.4,230394,003.1,W",
            {"latitude": 48.1173, "longitude": -11.5166667, "speed": 11.524, "course": 84.4},
        ),
        ("GPRMC,123519.00,V,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W", {}),
        ("GPRMC,,A,4807.038,,01131.000,E,,,,,", {"longitude": 11.5166667}),
        ("GPRMC,,A,4867.038,N,18131.000,E,,,,,", {}),
        ("GPRMC,,A,-4807.038,N,1e3,E,,,,,", {}),
        (
            "GPGGA,184353.07,1929.045,S,02410.506,E,1,04,2.6,100.00,M,-33.9,M,,0000",
            {
                "latitude": -19.4840833,
                "longitude": 24.1751,
                "fix_quality": 1,
                "satellites": 4,
                "hdop": 2.6,
                "altitude": 100.0,
            },
        ),
        ("GPGGA,184353.07,1929.045,S,02410.506,E,0,04,2.6,100.00,M,-33.9,M,,0000", {}),
        ("GPGGA,,,,,,,,,,,,,,", {}),
        ("GPZDA,160012.71,11,03,2004,-1,00", {}),
        ("PUBX,04,073824.00,131014", {}),
    ],
)
def test_a_sentence_tells_what_stands_in_it(text: str, expected: Values) -> None:
    found = told(text)
    assert found == expected
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in expected.items()
    }


def test_a_listener_tells_of_one_sensor_also_when_it_has_nothing_to_tell() -> None:
    listener = ENTRY.listener()
    assert listener.telegrams(Frame(sentence("WIMWV,39,R,1.3,M,A"))) == [
        Telegram("", {"apparent_wind_angle": 39, "apparent_wind_speed": 1.3})
    ]
    assert listener.telegrams(Frame(sentence("WIMWV,,R,,M,V"))) == [Telegram("", {})]
    assert listener.telegrams(Frame(sentence("GPZDA,160012.71,11,03,2004,-1,00"))) == []


def test_a_value_is_described_with_its_unit() -> None:
    (fields,) = described(ENTRY, hear(ENTRY, [sentence("YXXDR,C,17.09,C,T-N1052,P,1.02,B,B,G,7,,X")]))
    assert fields["values"] == {"temperature_t_n1052": 17.09, "pressure_b": 1020.0, "generic_x": 7}
    assert fields["units"] == {"temperature_t_n1052": "°C", "pressure_b": "hPa"}
    (fields,) = described(ENTRY, hear(ENTRY, [sentence("WIXDR,V,0.02,M,0")]))
    assert fields["units"] == {"volume_0": "M"}, "millimetres of rain, or cubic metres"
    (fields,) = described(ENTRY, hear(ENTRY, [sentence("WIMWV,39,R,1.3,M,A")]))
    assert fields["units"] == {"apparent_wind_angle": "°", "apparent_wind_speed": "m/s"}


def test_no_transducer_is_called_like_a_value_of_another_sentence() -> None:
    kinds = [chr(letter) for letter in range(ord("A"), ord("Z") + 1)]
    groups = ",".join(f"{kind},1,{unit},{name}" for kind in kinds for unit in "BN" for name in ("", "speed"))
    names = list(values(Sentence("II", "XDR", tuple(groups.split(",")))))
    assert len(names) > len(kinds)
    assert not set(names) & set(UNITS)


def test_apparent_and_true_wind_of_one_device_are_two() -> None:
    heard = (
        told("WIMWV,39,R,1.3,M,A") | told("WIMWV,45,T,1.1,M,A") | told("WIMDA,,,,,,,,,,,,,270,T,,,,,1.1,M")
    )
    assert heard == {
        "apparent_wind_angle": 39,
        "apparent_wind_speed": 1.3,
        "true_wind_angle": 45,
        "true_wind_speed": 1.1,
        "wind_direction": 270,
    }


def test_every_value_has_a_unit_or_is_a_mere_number() -> None:
    everything = ENTRY.settings({}).units
    assert everything == UNITS
    assert [name for name, unit in UNITS.items() if not unit] == ["fix_quality", "satellites", "hdop"]


def test_the_keys_of_a_device() -> None:
    settings = ENTRY.settings({"only": ["true_wind_speed", "temperature_t_n1052", "speed_0", "voltage_1"]})
    assert settings.address == ""
    assert settings.units == {
        "true_wind_speed": "m/s",
        "temperature_t_n1052": "°C",
        "speed_0": "m/s",
        "voltage_1": "",
    }
    with pytest.raises(SettingsError, match="windspeed"):
        ENTRY.settings({"only": ["windspeed"]})


@pytest.mark.parametrize("good", VALID)
def test_a_check_may_be_written_small_and_a_line_may_end_with_lf_alone(good: bytes) -> None:
    for told_otherwise in (good[:-4] + good[-4:].lower(), good[:-2] + b"\n"):
        assert frames(hear(ENTRY, [told_otherwise])) == [told_otherwise]


def test_a_sentence_without_a_check_is_not_believed() -> None:
    without = b"$WIMWV,39,R,1.3,M,A\r\n"
    assert hear(ENTRY, [without]) == [Noise(without, "checksum")]
    flipped = sentence("WIMWV,39,R,1.3,M,A").replace(b"*", b"+")
    assert hear(ENTRY, [flipped]) == [Noise(flipped, "checksum")]


def test_a_sentence_that_breaks_off_does_not_hide_the_next_one() -> None:
    for good in VALID:
        for kept in range(1, len(good)):
            assert frames(hear(ENTRY, [good[:kept] + good]))[-1] == good


def test_the_longest_sentence_is_found() -> None:
    longest = build("PU", "BX", ["7" * (MAX_LENGTH - len(build("PU", "BX", [""])))])
    assert len(longest) == MAX_LENGTH
    assert frames(hear(ENTRY, [longest])) == [longest]
    assert frames(hear(ENTRY, [longest.replace(b"7", b"77", 1)])) == []


def test_an_encapsulated_sentence_is_one_without_values() -> None:
    whole = build("AI", "VDM", ["1", "1", "", "A", "14eG;o@034o8sd<L9i:a;WF>062D", "0"], start="!")
    (fields,) = described(ENTRY, hear(ENTRY, [whole]))
    assert (fields["talker"], fields["type"]) == ("AI", "VDM")
    assert "values" not in fields


@given(st.lists(texts, min_size=1, max_size=20))
def test_pynmea2_reads_what_is_built_here(fields: list[str]) -> None:
    built = build("WI", "MDA", fields)
    assert parse(built) == Sentence("WI", "MDA", tuple(fields))
    assert pynmea2.parse(built.decode("ascii"), check=True).data == fields


@given(st.lists(texts, min_size=1, max_size=20))
def test_what_pynmea2_builds_is_read_here(fields: list[str]) -> None:
    built = f"{pynmea2.MDA('WI', 'MDA', fields)}\r\n".encode("ascii")
    assert frames(hear(ENTRY, [built])) == [built]
    assert parse(built) == Sentence("WI", "MDA", tuple(fields))


@pytest.mark.parametrize("good", [good for good in VALID if good[1:2] != b"P"])
def test_pynmea2_finds_the_same_fields_in_the_vectors(good: bytes) -> None:
    theirs = pynmea2.parse(good.decode("ascii"), check=True)
    assert parse(good) == Sentence(theirs.talker, theirs.sentence_type, tuple(theirs.data))


@given(
    st.decimals(0, 90, places=6),
    st.sampled_from("NS"),
    st.decimals(0, 180, places=6),
    st.sampled_from("EW"),
    st.decimals(0, 200, places=2),
)
def test_a_position_and_speed_are_those_that_pynmea2_finds(
    latitude: Decimal, north: str, longitude: Decimal, east: str, knots: Decimal
) -> None:
    def written(angle: Decimal, digits: int) -> str:
        degrees, rest = divmod(angle, 1)
        minutes = (rest * 60).quantize(Decimal("0.00001"))
        return f"{int(degrees):0{digits}}{min(minutes, Decimal('59.99999')):08.5f}"

    fields = ["", "A", written(latitude, 2), north, written(longitude, 3), east, str(knots), "", "", "", ""]
    built = build("GP", "RMC", fields)
    theirs = pynmea2.parse(built.decode("ascii"), check=True)
    assert values(parse(built)) == {
        "latitude": pytest.approx(theirs.latitude, abs=6e-8),
        "longitude": pytest.approx(theirs.longitude, abs=6e-8),
        "speed": pytest.approx(theirs.spd_over_grnd * 1852 / 3600, abs=6e-4),
    }
