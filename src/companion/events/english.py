# ruff: noqa: E501 (a pattern stands on one line)
"""English news of seven kinds, for ``generate_corpus``."""

from __future__ import annotations

from companion.events.templates import Language, patterns_of

__all__ = ["ENGLISH"]

WIN, TERM, FIRE, LAUNCH = "match", "sentence", "dismissal", "launch"
NAME, QUAKE, BUY = "appointment", "earthquake", "takeover"

ROLES = {
    WIN: {"date": "date", "winner": "team", "loser": "team", "cup": "cup"},
    TERM: {"date": "date", "defendant": "person", "court": "court", "crime": "crime", "term": "term"},
    FIRE: {"date": "date", "employer": "company", "dismissed": "person"},
    LAUNCH: {"date": "date", "maker": "company", "product": "product"},
    NAME: {"date": "date", "employer": "company", "person": "person", "post": "post"},
    QUAKE: {"date": "date", "place": "place", "magnitude": "size"},
    BUY: {"date": "date", "buyer": "company", "bought": "company", "price": "money"},
}  # fmt: skip

FIRST = ["Ada ", "Boris ", "Chloe ", "Dev ", "Elif ", "Felix ", "Grace ", "Hugo "]
LAST = ["Archer", "Bell", "Carver", "Dyer", "Fisher", "Mason", "Potter", "Weaver"]
SEAS = ["Amber ", "Blue ", "Copper ", "Golden ", "Silver ", "Violet "]
NUMERALS = ["two", "three", "four", "five", "six", "seven", "eight", "nine"]
WORDS = {
    "date": [["2 ", "6 ", "14 ", "19 ", "27 "], ["March", "May", "June", "August", "November"]],
    "person": [FIRST, LAST],
    "team": [["North ", "South ", "East ", "West ", "New "], ["Harbour", "River", "Hill", "Lake"],
             ["", " United", " Rovers", " Hawks"]],
    "company": [SEAS, ["Anchor", "Bridge", "Falcon", "Meadow", "Stone"],
                [" Group", " Labs", " Bank", " Works"]],
    "court": [["the "], ["Northern", "Southern", "Eastern", "City"], [" Court", " District Court"]],
    "crime": [["fraud", "theft", "bribery", "arson", "perjury", "smuggling"]],
    "term": [NUMERALS, [" years", " months"]],
    "cup": [["the "], ["Spring", "Autumn", "City", "Student"], [" Cup", " Open", " League"]],
    "product": [["Nova", "Pico", "Lumen", "Terra"], [" X", " Mini", " Pro", " One"],
                [" phone", " watch", " camera"]],
    "post": [["chief ", "deputy ", "senior "], ["engineer", "adviser", "director", "economist"]],
    "place": [["Ash", "Black", "Clear", "Long", "White"], ["water", "ford", "ridge"]],
    "size": [["3.", "4.", "5.", "6."], ["1", "4", "7", "9"]],
    "money": [["12", "30", "45", "80", "260"], [" million", " billion"], [" dollars", " euros"]],
    "count": [["3", "4", "6", "15", "40"]],
}  # fmt: skip

LEARNED: dict[tuple[str, ...], list[str]] = {
    (WIN,): [
        "on {1 date} {1 winner} {1 trigger:beat} {1 loser} in {1 cup}",
        "{1 winner} {1 trigger:defeated} {1 loser}",
        "{1 loser} {1 trigger:lost} to {1 winner} in {1 cup}",
        "{1 loser} {1 trigger:fell} to {1 winner} on {1 date}",
        "{1 winner} {1 trigger:took} {1 loser} apart on {1 date}",
    ],
    (TERM,): [
        "{1 court} {1 trigger:sentenced} {1 defendant} to {1 term} for {1 crime}",
        "on {1 date} {1 defendant} was {1 trigger:jailed} for {1 term} by {1 court}",
        "{1 defendant}, guilty of {1 crime}, was {1 trigger:sentenced} to {1 term}",
        "{1 defendant} was {1 trigger:jailed} for {1 term} on {1 date}",
    ],
    (FIRE,): [
        "on {1 date} {1 employer} {1 trigger:fired} {1 dismissed}",
        "{1 dismissed:{#count} workers of {1 employer}} were {1 trigger:dismissed} on {1 date}",
        "{1 dismissed} was {1 trigger:sacked} by {1 employer}",
        "{1 employer} {1 trigger:dismissed} {1 dismissed:{#count} workers}",
    ],
    (LAUNCH,): [
        "{1 maker} {1 trigger:unveiled} the {1 product} on {1 date}",
        "the {1 product} was {1 trigger:launched} by {1 maker}",
        "on {1 date} {1 maker} {1 trigger:launched} the {1 product}",
        "the {1 product:{1 maker} {#product}} was {1 trigger:released} on {1 date}",
    ],
    (NAME,): [
        "{1 employer} {1 trigger:appointed} {1 person} {1 post}",
        "on {1 date} {1 person} {1 trigger:became} {1 post:{#post} of {1 employer}}",
        "{1 person} was {1 trigger:named} {1 post} by {1 employer}",
        "{1 employer} {1 trigger:hired} {1 person} as {1 post} on {1 date}",
    ],
    (QUAKE,): [
        "on {1 date} a {1 trigger:quake} of magnitude {1 magnitude} hit {1 place}",
        "{1 place} was {1 trigger:shaken} on {1 date}, with magnitude {1 magnitude}",
        "an {1 trigger:earthquake} of {1 magnitude} was felt in {1 place} on {1 date}",
    ],
    (BUY,): [
        "{1 buyer} {1 trigger:bought} {1 bought} for {1 price}",
        "on {1 date} {1 bought} was {1 trigger:acquired} by {1 buyer}",
        "{1 buyer} paid {1 price} to {1 trigger:acquire} {1 bought} on {1 date}",
        "{1 buyer} {1 trigger:took} {1 bought} over for {1 price}",
    ],
    (WIN, WIN): [
        "{12 winner} first {1 trigger:beat} {1 loser} and then {2 trigger:defeated} {2 loser}",
        "in {12 cup} {1 winner} {1 trigger:defeated} {1 loser} and {2 winner} {2 trigger:beat} {2 loser}",
        "{1 winner} and {2 winner} {12 trigger:beat} {1 loser} and {2 loser} respectively on {12 date}",
        "{12 loser} {1 trigger:lost} to {1 winner} on {1 date} and {2 trigger:fell} to {2 winner} on {2 date}",
    ],
    (TERM, TERM): [
        "{12 court} {12 trigger:sentenced} {1 defendant} and {2 defendant} to {1 term} and {2 term} respectively for {12 crime}",
        "on {12 date} {1 defendant} was {1 trigger:jailed} for {1 term} and {2 defendant} was {2 trigger:jailed} for {2 term}",
        "{12 court} {1 trigger:sentenced} {1 defendant} to {1 term} for {1 crime} and {2 trigger:jailed} {2 defendant} for {2 term} for {2 crime}",
    ],
    (TERM, TERM, TERM): [
        "{1 defendant}, {2 defendant} and {3 defendant} were {123 trigger:jailed} for {1 term}, {2 term} and {3 term} respectively",
    ],
    (FIRE, FIRE): [
        "{12 employer} {1 trigger:fired} {1 dismissed} on {1 date} and {2 trigger:sacked} {2 dismissed} on {2 date}",
        "{1 employer} {12 trigger:dismissed} {1 dismissed:{#count} workers}, {2 employer} {2 dismissed:{#count} workers}",
    ],
    (LAUNCH, LAUNCH): [
        "on {12 date} {1 maker} and {2 maker} {12 trigger:launched} the {1 product} and the {2 product} respectively",
        "{12 maker} {1 trigger:unveiled} the {1 product} on {1 date} and {2 trigger:launched} the {2 product} on {2 date}",
    ],
    (NAME, NAME): [
        "{12 employer} {12 trigger:appointed} {1 person} {1 post} and {2 person} {2 post}",
        "on {12 date} {1 person} {1 trigger:became} {1 post:{#post} of {1 employer}} and {2 person} {2 trigger:became} {2 post:{#post} of {2 employer}}",
    ],
    (QUAKE, QUAKE): [
        "on {12 date} {12 trigger:quakes} of magnitude {1 magnitude} and {2 magnitude} hit {1 place} and {2 place} respectively",
        "{12 place} was {1 trigger:shaken} on {1 date}, with magnitude {1 magnitude}, and {2 trigger:shaken} again on {2 date}, with magnitude {2 magnitude}",
    ],
    (BUY, BUY): [
        "{12 buyer} {1 trigger:bought} {1 bought} for {1 price} and {2 trigger:acquired} {2 bought} for {2 price}",
        "on {12 date} {1 buyer} {1 trigger:bought} {1 bought} while {2 buyer} {2 trigger:bought} {2 bought}",
    ],
    (FIRE, NAME): [
        "on {12 date} {1 employer} {1 trigger:fired} {1 dismissed} while {2 employer} {2 trigger:hired} {2 person} as {2 post}",
        "{1 dismissed:{2 person}}, {1 trigger:sacked} by {1 employer} on {1 date}, {2 trigger:became} {2 post:{#post} of {2 employer}} on {2 date}",
    ],
    (BUY, LAUNCH): [
        "{1 buyer:{2 maker}}, which {1 trigger:bought} {1 bought}, {2 trigger:unveiled} the {2 product} on {2 date}",
    ],
}  # fmt: skip

HELD_OUT: dict[tuple[str, ...], list[str]] = {
    (WIN,): [
        "on {1 date} {1 loser} {1 trigger:lost} to {1 winner} in {1 cup}",
        "{1 winner} {1 trigger:beat} {1 loser} on {1 date}",
    ],
    (TERM,): ["{1 defendant} was {1 trigger:sentenced} to {1 term} by {1 court} for {1 crime}"],
    (FIRE,): ["on {1 date} {1 dismissed} was {1 trigger:sacked} by {1 employer}"],
    (LAUNCH,): ["the {1 product} was {1 trigger:unveiled} by {1 maker} on {1 date}"],
    (NAME,): ["on {1 date} {1 employer} {1 trigger:appointed} {1 person} {1 post}"],
    (QUAKE,): ["{1 place} was hit by an {1 trigger:earthquake} of magnitude {1 magnitude}"],
    (BUY,): ["{1 bought} was {1 trigger:bought} by {1 buyer} for {1 price} on {1 date}"],
    (WIN, WIN): [
        "on {12 date} {12 winner} first {1 trigger:defeated} {1 loser} and then {2 trigger:beat} {2 loser}",
        "in {12 cup} {1 winner} and {2 winner} {12 trigger:defeated} {1 loser} and {2 loser} respectively",
    ],
    (TERM, TERM): [
        "{1 defendant} and {2 defendant} were {12 trigger:jailed} for {1 term} and {2 term} respectively by {12 court}"
    ],
    (LAUNCH, LAUNCH): [
        "{1 maker} and {2 maker} {12 trigger:unveiled} the {1 product} and the {2 product} respectively on {12 date}"
    ],
    (BUY, BUY): ["{1 buyer} {1 trigger:acquired} {1 bought} while {2 buyer} {2 trigger:bought} {2 bought}"],
    (FIRE, NAME): [
        "{1 dismissed:{2 person}}, {1 trigger:fired} by {1 employer}, {2 trigger:became} {2 post:{#post} of {2 employer}} on {2 date}"
    ],
}  # fmt: skip

# One span in two roles, in two events of one type: links know spans alone, not roles.
BEYOND: dict[tuple[str, ...], list[str]] = {
    (WIN, WIN): ["{1 winner} {1 trigger:beat} {1 loser:{2 winner}}, which had {2 trigger:defeated} {2 loser}"],
    (BUY, BUY): [
        "on {1 date} {1 buyer} {1 trigger:bought} {1 bought:{2 buyer}}, which had {2 trigger:acquired} {2 bought}"
    ],
}  # fmt: skip

ENGLISH = Language(
    roles=ROLES,
    words=WORDS,
    patterns=[*patterns_of(LEARNED), *patterns_of(HELD_OUT, held_out=True)],
    beyond=patterns_of(BEYOND),
    joints=[", and ", "; ", ", while "],
    stop=".",
    trigger="trigger",
)
