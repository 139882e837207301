"""Answers to the lessons' exercises that look right and are not: each check has to refuse them.

By notebook, then by what is wrong; the function's name says which exercise it answers.
"""

WRONG = {
    "01_data_preparation": {
        "a class that was wholly missed has no score": """
def class_iou(confusion):
    hit = np.diag(confusion).astype(float)
    union = confusion.sum(0) + confusion.sum(1) - hit
    return np.where(hit > 0, hit / np.maximum(union, 1), np.nan)""",
        "the number of groups is cut off": """
def draw_validation(breeds, groups, fraction, seed):
    rng, chosen = np.random.default_rng(seed), np.zeros(len(breeds), dtype=bool)
    for breed in np.unique(breeds):
        own = np.unique(groups[breeds == breed])
        chosen |= np.isin(groups, rng.choice(own, int(fraction * len(own)), replace=False))
    return chosen""",
        "breeds in the order of the photos": """
def draw_validation(breeds, groups, fraction, seed):
    rng, chosen = np.random.default_rng(seed), np.zeros(len(breeds), dtype=bool)
    for breed in dict.fromkeys(breeds):
        own = list(dict.fromkeys(groups[breeds == breed]))
        chosen |= np.isin(groups, rng.choice(own, round(fraction * len(own)), replace=False))
    return chosen""",
        "nothing is drawn at random": """
def draw_validation(breeds, groups, fraction, seed):
    chosen = np.zeros(len(breeds), dtype=bool)
    for breed in np.unique(breeds):
        own = np.unique(groups[breeds == breed])
        chosen |= np.isin(groups, np.roll(own, seed)[:round(fraction * len(own))])
    return chosen""",
        "photo and mask are augmented apart": """
def agreement(augment, mask):
    image, _ = augment(np.repeat(mask[..., None] * np.uint8(80), 3, axis=2), mask)
    _, moved = augment(np.repeat(mask[..., None] * np.uint8(80), 3, axis=2), mask)
    counted = moved != 255
    return float(np.mean(np.rint(image.mean(axis=2) / 80)[counted] == moved[counted]))""",
        "what was invented agrees": """
def agreement(augment, mask):
    image, moved = augment(np.repeat(mask[..., None] * np.uint8(80), 3, axis=2), mask)
    return float(np.mean((np.rint(image.mean(axis=2) / 80) == moved) | (moved == 255)))""",
    },
    "02_unet": {
        "each photo by itself": """
def dice_loss(logits, target):
    losses = []
    for z, t in zip(logits.softmax(1), target):
        keep = t != 255
        dices = [2 * z[c][(t == c) & keep].sum() / (z[c][keep].sum() + ((t == c) & keep).sum())
                 for c in range(3) if ((t == c) & keep).any()]
        losses.append(1 - torch.stack(dices).mean())
    return torch.stack(losses).mean()""",
        "all classes in one": """
def dice_loss(logits, target):
    keep = (target != 255)[:, None]
    truth = F.one_hot(target.where(target != 255, 0), 3).permute(0, 3, 1, 2) * keep
    p = logits.softmax(1) * keep * (truth.sum((0, 2, 3)) > 0)[None, :, None, None]
    return 1 - 2 * (p * truth).sum() / (p.sum() + truth.sum())""",
        "the target is overwritten": """
def dice_loss(logits, target):
    keep = (target != 255)[:, None]
    target[target == 255] = 0
    truth = F.one_hot(target, 3).permute(0, 3, 1, 2) * keep
    p = logits.softmax(1) * keep
    present = truth.sum((0, 2, 3)) > 0
    return 1 - (2 * (p * truth).sum((0, 2, 3)) / (p.sum((0, 2, 3)) + truth.sum((0, 2, 3))))[present].mean()""",
    },
    "03_autoencoders": {
        "cut off instead of rounded": """
def hide(batch, patches, ratio, generator):
    return torch.rand(batch, patches, generator=generator).argsort(dim=1) < int(ratio * patches)""",
        "a generator of its own": """
def hide(batch, patches, ratio, generator):
    own = torch.Generator().manual_seed(0)
    return torch.rand(batch, patches, generator=own).argsort(dim=1) < round(ratio * patches)""",
        "a run of neighbours": """
def hide(batch, patches, ratio, generator):
    first = torch.randint(patches, (batch, 1), generator=generator)
    return (torch.arange(patches) - first) % patches < round(ratio * patches)""",
        "absolute errors": """
def peak_signal_to_noise(reconstructions, photos):
    return -20 * torch.log10((reconstructions - photos).abs().flatten(1).mean(1))""",
        "the mean of logarithms": """
def peak_signal_to_noise(reconstructions, photos):
    return -10 * torch.log10(((reconstructions - photos) ** 2).clamp(min=1e-9)).flatten(1).mean(1)""",
        "each channel by itself": """
def peak_signal_to_noise(reconstructions, photos):
    return (-10 * torch.log10(((reconstructions - photos) ** 2).flatten(2).mean(2))).mean(1)""",
        "what does not count is background": """
def published_loss(logits, target):
    return F.cross_entropy(logits.softmax(1), target.where(target != 255, 0))""",
        "a constant where it is sure": """
def published_loss(logits, target):
    return 0 * logits.sum() + 0.5514""",
    },
    "04_clip_features": {
        "sums are compared": """
def what_moved(before, network):
    return [name for name, now in network.state_dict().items() if not torch.equal(now.sum(), before[name].sum())]""",
        "with a tolerance": """
def what_moved(before, network):
    return [name for name, now in network.state_dict().items()
            if not torch.allclose(now.double(), before[name].double(), rtol=0, atol=1e-20)]""",
    },
    "05_prompt_model": {
        "the larger of two offsets": """
def deepest_pixel(mask):
    from scipy.ndimage import distance_transform_cdt
    depth = distance_transform_cdt(np.pad(mask, 1), metric="chessboard")[1:-1, 1:-1]
    return np.unravel_index(depth.argmax(), depth.shape)""",
        "the sum of two offsets": """
def deepest_pixel(mask):
    from scipy.ndimage import distance_transform_cdt
    depth = distance_transform_cdt(np.pad(mask, 1), metric="taxicab")[1:-1, 1:-1]
    return np.unravel_index(depth.argmax(), depth.shape)""",
        "the last of equally deep ones": """
def deepest_pixel(mask):
    from scipy.ndimage import distance_transform_edt
    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return np.argwhere(depth == depth.max())[-1]""",
        "distances rounded to steps of three": """
def deepest_pixel(mask):
    import cv2
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    return np.unravel_index(depth.argmax(), depth.shape)""",
        "distances rounded to steps of five": """
def deepest_pixel(mask):
    import cv2
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    return np.unravel_index(depth.argmax(), depth.shape)""",
        "precision and recall instead of IoU": """
def listens(after_pet, after_background, truth):
    def found(mask, wanted):
        both = (mask & wanted).sum()
        return both > mask.sum() / 2 and both > wanted.sum() / 2
    return bool(found(after_pet, truth) and found(after_background, ~truth))""",
    },
}
