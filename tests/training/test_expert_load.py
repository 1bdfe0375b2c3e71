import torch
from torch import nn
from transformers.models.deepseek_v3.configuration_deepseek_v3 import DeepseekV3Config
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3Experts

from qvlm_qiskit.training.expert_load import ExpertLoad


def test_shares_are_those_of_the_choices_since_they_were_asked():
    config = DeepseekV3Config(hidden_size=4, moe_intermediate_size=4, n_routed_experts=4)
    config.num_local_experts = config.n_routed_experts
    experts = DeepseekV3Experts(config)
    model = nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(4, 4), experts])})
    load = ExpertLoad(model)
    assert load.shares() == {}

    def choose(*chosen):
        index = torch.tensor(chosen)[:, None]
        experts(torch.randn(len(chosen), 4), index, torch.ones(len(chosen), 1))

    choose(0, 0, 3)
    choose(1)
    names = [f"load_layer1_expert{i}" for i in range(4)]
    assert load.shares() == dict(zip(names, [0.5, 0.25, 0.0, 0.25], strict=True))
    experts.eval()
    choose(2)
    assert load.shares() == {}
