"""What the 37 breeds of the Oxford-IIIT Pet data set look like, in few words that they share.

A breed's name tells a network nothing about other breeds; "a giant dog with a thick white coat" does. So captions speak
of looks, and six breeds that the network meets neither in photos nor by name can still be asked for.
"""

from dataclasses import dataclass

# In petclip-mini's training there is no photo of these and no caption with their names.
WITHHELD = ("Bombay", "Ragdoll", "great_pyrenees", "newfoundland", "shiba_inu", "staffordshire_bull_terrier")


@dataclass(frozen=True)
class Looks:
    """How a breed looks.

    Attributes:
        build: one or two adjectives.
        features: what it has, each fit to follow "with".
    """

    build: str
    features: tuple[str, ...]


LOOKS = {
    "Abyssinian": Looks("slim", ("a short reddish brown coat", "large upright ears", "green eyes")),
    "Bengal": Looks("muscular", ("a spotted golden brown coat", "dark spots and stripes", "short fur")),
    "Birman": Looks("fluffy", ("long cream fur", "a dark brown face and blue eyes", "white paws")),
    "Bombay": Looks("muscular", ("a short smooth black coat", "golden eyes", "a black face")),
    "British_Shorthair": Looks("stocky", ("a thick short grey coat", "a round face", "orange eyes")),
    "Egyptian_Mau": Looks("slim", ("a spotted silver coat", "dark spots and stripes", "green eyes")),
    "Maine_Coon": Looks("large", ("long brown striped fur", "large upright ears", "a bushy tail")),
    "Persian": Looks("fluffy", ("long thick fur", "a flat face", "a short nose and round eyes")),
    "Ragdoll": Looks("large fluffy", ("long cream fur", "blue eyes and a dark face", "a white chest")),
    "Russian_Blue": Looks("slim", ("a short grey coat", "green eyes", "upright ears")),
    "Siamese": Looks("slim", ("a short cream coat", "a dark face and blue eyes", "large dark ears")),
    "Sphynx": Looks("slim", ("wrinkled pink skin and no fur", "very large upright ears", "a hairless body")),
    "american_bulldog": Looks("large muscular", ("a short white coat with brown patches", "a broad head",
                                                 "a wide chest")),
    "american_pit_bull_terrier": Looks("muscular", ("a short smooth coat", "a broad head", "folded ears")),
    "basset_hound": Looks("long low", ("very long floppy ears", "a brown and white coat", "short legs and a sad face")),
    "beagle": Looks("small", ("a black, brown and white coat", "long floppy ears", "a white muzzle")),
    "boxer": Looks("large muscular", ("a short brown coat", "a dark short muzzle", "a white chest")),
    "chihuahua": Looks("tiny", ("very large upright ears", "a short light brown coat", "big round eyes")),
    "english_cocker_spaniel": Looks("medium", ("long wavy floppy ears", "a silky coat", "a black or golden coat")),
    "english_setter": Looks("large slim", ("a long white coat with black spots", "long floppy ears", "a long muzzle")),
    "german_shorthaired": Looks("large slim", ("a short dark brown coat with white spots", "a brown head",
                                               "long floppy ears")),
    "great_pyrenees": Looks("giant", ("a long thick white coat", "a white face with dark eyes", "floppy ears")),
    "havanese": Looks("small", ("long silky hair over the eyes", "a white and grey coat", "floppy ears")),
    "japanese_chin": Looks("small", ("a long black and white coat", "a flat face", "big dark eyes")),
    "keeshond": Looks("medium fluffy", ("a thick grey and black coat", "small upright ears", "a curled bushy tail")),
    "leonberger": Looks("giant", ("a long golden brown coat", "a black face", "floppy ears")),
    "miniature_pinscher": Looks("small slim", ("a short smooth red or black coat", "upright pointed ears",
                                               "thin legs")),
    "newfoundland": Looks("giant", ("a long thick black coat", "a broad black head", "floppy ears")),
    "pomeranian": Looks("tiny fluffy", ("a thick orange coat", "small upright ears", "a fox face")),
    "pug": Looks("small stocky", ("a flat wrinkled black face", "a short light brown coat", "a curled tail")),
    "saint_bernard": Looks("giant", ("a thick white and brown coat", "a broad head with a dark face", "floppy ears")),
    "samoyed": Looks("large fluffy", ("a thick white coat", "upright ears and a white face", "a curled bushy tail")),
    "scottish_terrier": Looks("small", ("a wiry black coat", "upright pointed ears", "a long beard and short legs")),
    "shiba_inu": Looks("medium", ("a thick short reddish orange coat", "upright pointed ears and a fox face",
                                  "a curled tail and a white chest")),
    "staffordshire_bull_terrier": Looks("stocky muscular", ("a short smooth dark coat", "a broad head",
                                                            "folded ears and a wide chest")),
    "wheaten_terrier": Looks("medium", ("a soft wavy golden coat", "hair over the eyes", "a beard and folded ears")),
    "yorkshire_terrier": Looks("tiny", ("long silky grey and golden hair", "small upright ears", "hair over the eyes")),
}


def spoken(breed: str) -> str:
    """A breed's name as it is written in a sentence: ``basset_hound`` -> ``basset hound``."""
    return breed.replace("_", " ").lower()
