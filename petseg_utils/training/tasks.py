"""What a run learns: to segment, to follow prompts, to reconstruct, or from captions. The loop is the same; loss,
validation and what is kept differ."""

from petseg_utils.training.contrastive import Contrastive
from petseg_utils.training.prompting import Prompting
from petseg_utils.training.reconstruction import Reconstruction
from petseg_utils.training.segmentation import Segmentation

Task = Segmentation | Reconstruction | Contrastive
TASKS: dict[str, type[Task]] = {"segmentation": Segmentation, "prompt": Prompting, "reconstruction": Reconstruction,
                                "captions": Contrastive}
