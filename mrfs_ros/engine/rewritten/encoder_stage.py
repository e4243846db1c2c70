"""One stage of an encoder on (B, H, W, C) maps: patch embedding, transformer blocks, norm."""

from __future__ import annotations

from torch import Tensor, nn

from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.rewritten.folded_attention import FoldedAttention
from mrfs_ros.engine.rewritten.folding import affine, chain, sum_of_inputs
from mrfs_ros.network.backbone import DualEncoder
from mrfs_ros.network.encoder import TransformerBlock


class FoldedBlock(nn.Module):
    """A transformer block; the affine parts of its norms are in the Linears that follow them."""

    def __init__(self, operators: Operators, trained: TransformerBlock):
        super().__init__()
        self.operators = operators
        attention, mlp = trained.attn, trained.mlp
        before = affine(trained.norm1)
        self.attend = FoldedAttention(
            operators,
            attention,
            attention.q,
            attention.kv,
            before_queries=before,
            before_keys=before,
            eps=trained.norm1.eps,
        )
        self.project = operators.dense(affine(attention.proj))
        self.eps = trained.norm2.eps
        self.widen = operators.dense(chain(affine(trained.norm2), affine(mlp.fc1)))
        self.depthwise = operators.depthwise(mlp.dwconv.dwconv)
        self.narrow = operators.dense(affine(mlp.fc2))

    def forward(self, x: Tensor) -> Tensor:
        run = self.operators
        x = run.linear(self.attend(x, x), self.project, residual=x)
        wide = run.linear(x, self.widen, eps=self.eps)
        return run.depthwise_gelu_linear(wide, self.depthwise, self.narrow, residual=x)


class FoldedStage(nn.Module):
    """Stage ``number`` (1 to 4) of the encoder with ``prefix``: (B, H, W, C_in) to (B, H', W', C).

    ``equal_channels``: the trained network's input has this many equal channels, of which the stage takes one.
    """

    def __init__(self, operators: Operators, encoders: DualEncoder, prefix: str, number: int, equal_channels: int = 1):
        super().__init__()
        self.operators = operators
        embedding = getattr(encoders, f"{prefix}patch_embed{number}")
        weights = affine(embedding.proj)
        if equal_channels > 1:
            weights = sum_of_inputs(weights, equal_channels)
        self.embedding = operators.dense(weights)
        self.kernel, self.stride = embedding.proj.kernel_size[0], embedding.proj.stride[0]
        self.embedding_norm = operators.norm(embedding.norm)
        blocks = getattr(encoders, f"{prefix}block{number}")
        self.blocks = nn.ModuleList(FoldedBlock(operators, block) for block in blocks)
        self.norm = operators.norm(getattr(encoders, f"{prefix}norm{number}"))

    def forward(self, x: Tensor) -> Tensor:
        run = self.operators
        x = run.layer_norm(
            run.patches(x, self.embedding, self.kernel, self.stride, self.kernel // 2), self.embedding_norm
        )
        for block in self.blocks:
            x = block(x)
        return run.layer_norm(x, self.norm)
