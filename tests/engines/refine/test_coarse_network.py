"""The attention-gated U-Net: its gates gate, any size comes back, and the published one can be built."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from medsynth_core.engines.refine.coarse_network import AttentionGate, CoarseNetwork
from medsynth_core.engines.refine.coarse_objective import coarse_loss
from medsynth_core.engines.refine.coarse_presets import COARSE, get_coarse_preset


def seeded(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def network(channels: int = 3, labels: int = 1, widths: tuple[int, ...] = (8, 16, 16), patch: int = 2) -> CoarseNetwork:
    torch.manual_seed(0)
    return CoarseNetwork(channels, labels, widths, patch).eval()


def set_gates(net: CoarseNetwork, bias: float) -> CoarseNetwork:
    """Hold every gate at sigmoid(bias), whatever it sees."""
    for gate in net.gates:
        nn.init.zeros_(gate.psi.weight)
        nn.init.constant_(gate.psi.bias, bias)
    return net


def skips_seen(net: CoarseNetwork, image: Tensor) -> list[Tensor]:
    """What arrives of each skip at the decoder, deepest first."""
    seen: list[Tensor] = []
    hooks = [block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])) for block in net.up]
    net(image)
    for hook in hooks:
        hook.remove()
    return [x[:, -width:].detach() for x, width in zip(seen, net.config.widths[-2::-1], strict=True)]


def test_attention_lies_between_nothing_and_all() -> None:
    torch.manual_seed(0)
    alpha = AttentionGate(8, 16).attention(9 * seeded((2, 8, 12, 8)), 9 * seeded((2, 16, 6, 4))).detach()
    assert alpha.shape == (2, 1, 12, 8)
    assert 0 <= float(alpha.min()) < float(alpha.max()) <= 1


def test_the_deeper_level_decides_what_passes() -> None:
    torch.manual_seed(0)
    gate, skip = AttentionGate(8, 16), seeded((1, 8, 16, 16))
    here = torch.zeros(1, 16, 8, 8)
    there = here.clone()
    there[:, :, 6, 6] = 5.0
    change = (gate(skip, here) - gate(skip, there)).detach().abs().amax(dim=(0, 1))
    assert float(change[10:16, 10:16].max()) > 0
    assert float(change[:8, :8].max()) == 0, "and only there"


def test_a_closed_gate_stops_its_skip_and_an_open_one_lets_it_pass() -> None:
    image = seeded((1, 3, 32, 32))
    closed, open_ = (skips_seen(set_gates(network(), bias), image) for bias in (-50.0, 50.0))
    assert all(float(skip.abs().max()) < 1e-12 for skip in closed)
    assert all(float(skip.abs().max()) > 0.1 for skip in open_)


def test_every_skip_has_a_gate_and_every_gate_has_a_say() -> None:
    net, image = network(), seeded((1, 3, 32, 32))
    assert len(net.gates) == len(net.config.widths) - 1
    before = net(image)
    for gate in net.gates:
        kept = gate.psi.bias.detach().clone()
        nn.init.constant_(gate.psi.bias, -50.0)
        assert not torch.allclose(net(image), before, atol=1e-4)
        gate.psi.bias.data.copy_(kept)
    assert torch.equal(net(image), before)


def test_gates_are_learned() -> None:
    net = network()
    truth = (seeded((2, 1, 32, 32)) > 0).float()
    torch.stack(list(coarse_loss(net(seeded((2, 3, 32, 32))), truth).values())).sum().backward()
    for name, parameter in net.gates.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (7, 5), (33, 31), (32, 48), (64, 65)])
@pytest.mark.parametrize(("channels", "labels", "patch"), [(1, 1, 1), (3, 2, 2), (1, 4, 4)])
def test_any_size_comes_back(size: tuple[int, int], channels: int, labels: int, patch: int) -> None:
    logits = network(channels, labels, patch=patch)(seeded((2, channels, *size)))
    assert logits.shape == (2, labels, *size)
    assert logits.isfinite().all()


def test_what_is_seen_does_not_depend_on_the_neighbors_in_the_batch() -> None:
    net, images = network(), seeded((3, 3, 32, 32))
    assert torch.allclose(net(images)[1], net(images[1:2])[0], atol=1e-5)


def test_the_default_is_compact() -> None:
    net = CoarseNetwork(3, 1, COARSE.widths, COARSE.patch)
    count = sum(parameter.numel() for parameter in net.parameters())
    assert 1.5e6 < count < 2.5e6
    assert 2 * count < 8e6, "bytes in half precision"


def test_the_published_network_can_be_built_and_sees_its_published_size() -> None:
    preset = get_coarse_preset("coarse-published")
    assert (preset.widths, preset.patch, preset.pixels) == ((64, 128, 256, 512, 1024), 1, 256)
    with torch.device("meta"):  # shapes alone, without the memory
        net = CoarseNetwork(3, 1, preset.widths, preset.patch)
        assert net(torch.empty(1, 3, 256, 256)).shape == (1, 1, 256, 256)
    assert 30e6 < sum(parameter.numel() for parameter in net.parameters()) < 40e6


def test_the_loss_is_half_cross_entropy_and_half_dice() -> None:
    truth = torch.zeros(1, 1, 4, 4)
    truth[..., :2, :] = 1
    undecided = coarse_loss(torch.zeros(1, 1, 4, 4), truth)
    assert float(undecided["bce"]) == pytest.approx(0.5 * 0.693147, abs=1e-5)
    assert float(undecided["dice"]) == pytest.approx(0.5 * (1 - (2 * 4 + 1) / (8 + 8 + 1)))
    perfect = coarse_loss(100 * (2 * truth - 1), truth)
    assert float(torch.stack(list(perfect.values())).sum()) == pytest.approx(0, abs=1e-6)


def test_a_small_lesion_counts_as_much_as_a_large_one() -> None:
    truth = torch.zeros(2, 1, 32, 32)
    truth[0, :, 4:28, 4:28], truth[1, :, 14:18, 14:18] = 1, 1
    logits = 100 * (2 * truth - 1)
    missed = [logits.clone(), logits.clone()]
    for i, one in enumerate(missed):
        one[i] = -100
    large, small = (float(coarse_loss(one, truth)["dice"]) for one in missed)
    assert small == pytest.approx(large, rel=0.1)


def test_an_absent_label_that_is_not_drawn_costs_nothing() -> None:
    nothing = coarse_loss(torch.full((1, 2, 8, 8), -100.0), torch.zeros(1, 2, 8, 8))
    assert float(nothing["dice"]) == pytest.approx(0)
