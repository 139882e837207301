"""The breeds of the synthetic pets: plain data about shape, and coats that cats and dogs share.

Every pattern is worn by both species, yet not equally often: as in life, stripes are mostly a cat's and saddles mostly
a dog's. A model gets a hint from the coat and has to look at shapes for the rest.
"""

from dataclasses import dataclass

from petseg_utils.classes import CAT, DOG

Colour = tuple[int, int, int]

BLACK, CHARCOAL, GREY, SILVER = (38, 36, 38), (66, 64, 68), (118, 120, 128), (172, 172, 174)
WHITE, CREAM, SAND, GINGER = (238, 234, 226), (226, 204, 170), (198, 164, 120), (196, 132, 76)
RUST, BROWN, CHOCOLATE, SEAL = (150, 84, 40), (128, 96, 68), (88, 58, 42), (62, 48, 42)


@dataclass(frozen=True)
class Coat:
    """Two colours and how they are laid out.

    Attributes:
        cat_name: how the coat is called on a cat.
        dog_name: how the coat is called on a dog.
        base: RGB 0..255 of most of the body.
        second: RGB 0..255 of stripes, spots, points, saddle or white areas.
        pattern: solid, stripes, spots, patches, bicolour, points or saddle.
    """

    cat_name: str
    dog_name: str
    base: Colour
    second: Colour
    pattern: str


@dataclass(frozen=True)
class Breed:
    """Proportions of a breed; lengths are in units of half a medium torso.

    Attributes:
        name: as in file names: capital first letter for cats, small for dogs.
        species: 1 cat, 2 dog.
        coats: names in :data:`COATS`, drawn with equal chance.
        ear: upright (cone), folded (small, tipped forward) or floppy (hanging).
        ear_size, muzzle, muzzle_width: in units of the head's radius.
        tail: thin, plume, sickle, curled or stub.
        body, girth, leg, neck, head: half length of the torso, its radius, free leg, neck, radius of the skull.
        fur: 0 (smooth) to 1 (long, shaggy outline).
    """

    name: str
    species: int
    coats: tuple[str, ...]
    ear: str
    ear_size: float
    muzzle: float
    muzzle_width: float
    tail: str
    body: float
    girth: float
    leg: float
    neck: float
    head: float
    fur: float


COATS = {
    "ginger-striped": Coat("ginger tabby", "red brindle", GINGER, RUST, "stripes"),
    "grey-striped": Coat("grey tabby", "grey brindle", SILVER, CHARCOAL, "stripes"),
    "brown-striped": Coat("brown tabby", "dark brindle", BROWN, BLACK, "stripes"),
    "cream-striped": Coat("cream tabby", "fawn brindle", CREAM, GINGER, "stripes"),
    "grey": Coat("blue-grey", "blue-grey", GREY, CHARCOAL, "solid"),
    "black-white": Coat("black and white", "black and white", BLACK, WHITE, "bicolour"),
    "cream": Coat("cream", "golden", CREAM, SAND, "solid"),
    "spotted": Coat("silver spotted", "spotted", SILVER, BLACK, "spots"),
    "dark-points": Coat("seal point", "fawn with a dark mask", CREAM, SEAL, "points"),
    "grey-points": Coat("blue point", "silver with a grey mask", WHITE, GREY, "points"),
    "chocolate": Coat("chocolate", "chocolate", CHOCOLATE, SEAL, "solid"),
    "black": Coat("black", "black", BLACK, CHARCOAL, "solid"),
    "white": Coat("white", "white", WHITE, CREAM, "solid"),
    "ginger-white": Coat("ginger and white", "red and white", GINGER, WHITE, "bicolour"),
    "black-tan": Coat("tortoiseshell", "black and tan", GINGER, BLACK, "saddle"),
    "patched": Coat("calico", "tricolour", WHITE, RUST, "patches"),
}

# Ordered cat, dog, dog, ...: any run of images has about one third of cats, as the real data has.
BREEDS = (
    Breed("Tabbyshort", CAT, ("ginger-striped", "grey-striped", "brown-striped", "cream-striped"),
          ear="upright", ear_size=0.95, muzzle=0.30, muzzle_width=0.48, tail="thin",
          body=0.95, girth=0.43, leg=0.62, neck=0.30, head=0.46, fur=0.25),
    Breed("barkhound", DOG, ("black-tan", "patched", "ginger-white", "chocolate"),
          ear="floppy", ear_size=1.15, muzzle=1.00, muzzle_width=0.50, tail="sickle",
          body=1.05, girth=0.46, leg=0.80, neck=0.55, head=0.42, fur=0.10),
    Breed("spitzling", DOG, ("cream", "ginger-white", "white", "black"),
          ear="upright", ear_size=0.52, muzzle=0.62, muzzle_width=0.42, tail="curled",
          body=0.85, girth=0.50, leg=0.62, neck=0.35, head=0.44, fur=0.90),
    Breed("Foldear", CAT, ("grey-striped", "grey", "black-white", "spotted"),
          ear="folded", ear_size=0.50, muzzle=0.22, muzzle_width=0.55, tail="thin",
          body=0.90, girth=0.48, leg=0.55, neck=0.25, head=0.50, fur=0.45),
    Breed("bullbrow", DOG, ("ginger-striped", "white", "black-white", "cream"),
          ear="folded", ear_size=0.50, muzzle=0.52, muzzle_width=0.66, tail="stub",
          body=0.95, girth=0.56, leg=0.62, neck=0.40, head=0.50, fur=0.08),
    Breed("dachsling", DOG, ("black-tan", "chocolate", "cream", "spotted"),
          ear="floppy", ear_size=0.90, muzzle=0.95, muzzle_width=0.42, tail="thin",
          body=1.30, girth=0.40, leg=0.34, neck=0.42, head=0.38, fur=0.15),
    Breed("Maneplume", CAT, ("ginger-striped", "ginger-white", "black-tan", "patched"),
          ear="upright", ear_size=0.92, muzzle=0.38, muzzle_width=0.54, tail="plume",
          body=1.05, girth=0.52, leg=0.62, neck=0.34, head=0.48, fur=1.00),
    Breed("goldbay", DOG, ("cream", "black", "chocolate", "white"),
          ear="floppy", ear_size=0.80, muzzle=0.85, muzzle_width=0.54, tail="plume",
          body=1.10, girth=0.52, leg=0.78, neck=0.50, head=0.46, fur=0.65),
    Breed("pugling", DOG, ("dark-points", "cream", "black", "grey"),
          ear="folded", ear_size=0.55, muzzle=0.30, muzzle_width=0.58, tail="curled",
          body=0.82, girth=0.50, leg=0.50, neck=0.26, head=0.48, fur=0.12),
    Breed("Velvetpoint", CAT, ("dark-points", "grey-points", "chocolate", "black"),
          ear="upright", ear_size=1.12, muzzle=0.42, muzzle_width=0.40, tail="thin",
          body=1.00, girth=0.36, leg=0.72, neck=0.42, head=0.42, fur=0.08),
    Breed("saddleherd", DOG, ("dark-points", "black-tan", "brown-striped", "patched"),
          ear="upright", ear_size=0.80, muzzle=0.95, muzzle_width=0.46, tail="plume",
          body=1.10, girth=0.50, leg=0.82, neck=0.55, head=0.43, fur=0.50),
    Breed("terrikin", DOG, ("grey", "black-tan", "black-white", "spotted"),
          ear="folded", ear_size=0.62, muzzle=0.72, muzzle_width=0.60, tail="stub",
          body=0.85, girth=0.44, leg=0.55, neck=0.38, head=0.43, fur=0.75),
)
