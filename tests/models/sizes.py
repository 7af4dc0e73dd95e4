"""Small sizes under all the names that configurations of transformers have for them, and what else families need."""

from __future__ import annotations

from typing import Any

VOCABULARY, WIDTH, LAYERS, HEADS, WINDOW = 48, 32, 4, 4, 4

_NAMES: tuple[tuple[int | float | bool, str], ...] = (
    (VOCABULARY, "vocab_size decoder_vocab_size unpadded_vocab_size vocab_size_per_layer_input"),
    (
        WIDTH,
        "hidden_size n_embd d_model embedding_size word_embed_proj_dim input_embedding_size output_embedding_size "
        "attention_hidden_size lru_width dim_model_base emb_dim embedding_dim backbone_hidden_size",
    ),
    (
        24,
        "intermediate_size ffn_dim decoder_ffn_dim encoder_ffn_dim n_inner dff dim_ff ffn_hidden_size d_inner "
        "moe_intermediate_size shared_expert_intermediate_size expert_ffn_hidden_size feed_forward_size "
        "moe_shared_expert_intermediate_size shared_experts_intermediate_size shared_intermediate_size "
        "dense_intermediate_size intermediate_size_mlp",
    ),
    (
        HEADS,
        "num_attention_heads n_head n_heads num_heads decoder_attention_heads encoder_attention_heads attention_heads "
        "num_decoder_attention_heads num_encoder_attention_heads swa_num_attention_heads linear_num_value_heads "
        "mamba_n_heads mamba_num_heads n_mamba_heads",
    ),
    (
        2,
        "num_key_value_heads num_kv_heads swa_num_key_value_heads linear_num_key_heads linear_num_heads "
        "num_query_groups num_experts_per_tok num_experts_per_token moe_topk moe_k experts_per_token top_k_experts",
    ),
    (
        8,
        "head_dim d_head kv_channels attention_head_dim swa_head_dim v_head_dim qk_nope_head_dim linear_key_head_dim "
        "linear_value_head_dim linear_head_dim attention_head_size mamba_d_head mamba_head_dim mamba_headdim "
        "index_head_dim kv_lora_rank q_lora_rank qk_rope_head_dim rotary_dim d_rel state_size ssm_state_size "
        "mamba_d_state time_step_rank mamba_dt_rank adapter_rank laurel_rank gated_norm_rank "
        "hidden_size_per_layer_input o_lora_rank router_hidden_size",
    ),
    (
        LAYERS,
        "num_hidden_layers n_layer n_layers num_layers decoder_layers num_decoder_layers encoder_layers "
        "num_encoder_layers",
    ),
    (4, "num_experts num_local_experts n_routed_experts moe_num_experts mamba_chunk_size chunk_size"),
    (1, "n_group topk_group n_groups mamba_n_groups mamba_ngroups num_expert_group"),
    (
        64,
        "max_position_embeddings n_positions n_ctx max_seq_len max_target_positions max_source_positions "
        "context_length model_max_length original_max_position_embeddings",
    ),
    (
        WINDOW,
        "sliding_window sliding_window_size attention_window_size window_size attention_chunk_size local_attention "
        "local_attention_window_len",
    ),
    (1, "pad_token_id bos_token_id eos_token_id max_window_layers"),
    (True, "is_decoder use_sliding_window"),
    # What heads do to their logits, and bodies to their states: nothing by default, in some families.
    (0.25, "logit_scale lm_head_multiplier residual_multiplier"),
    (3.0, "logits_scaling logits_mup_width_multiplier embedding_multiplier"),
    (0.5, "final_logit_softcapping logits_soft_cap output_logit_soft_cap"),
)
SIZES: dict[str, Any] = {name: size for size, names in _NAMES for name in names.split()}

_MAMBA = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_expand": 2}
_EYES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
_HYBRID = ["linear_attention", "full_attention"] * 2

OWN: dict[str, dict[str, Any]] = {
    "bailing_hybrid": {"layer_group_size": 2},
    "bamba": _MAMBA | {"attn_layer_indices": [1, 3]},
    "blt": {"encoder_hash_byte_group_vocab": 50, "vocab_size": 260},
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}}
    },
    "dots1": {
        "n_shared_experts": 1, "n_routed_experts": 4, "num_experts_per_tok": 2,
        "layer_types": ["full_attention", "sliding_attention"] * 2,
    },
    "dots3_note_text": {"per_layer_config": {}, "head_dim": 16},
    "falcon_h1": {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_ssm": 64},
    "fuyu": {"text_config": {"model_type": "persimmon", "vocab_size": 48, "hidden_size": 32, "num_hidden_layers": 2,
                             "num_attention_heads": 4, "intermediate_size": 24}},
    "gemma3": {"vision_config": {"model_type": "siglip_vision_model", **_EYES}},
    "gemma3n_text": {
        "num_kv_shared_layers": 2, "layer_types": ["sliding_attention", "full_attention"] * 2,
        "activation_sparsity_pattern": [0.5] * 4, "intermediate_size": [24] * 4,
    },
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    "granitemoehybrid": _MAMBA | {"layer_types": _HYBRID},
    "got_ocr2": {"text_config": {"model_type": "qwen2", "vocab_size": 48, "hidden_size": 32, "num_hidden_layers": 2,
                                 "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 24}},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "lfm2": {"layer_types": ["conv", "full_attention"] * 2},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 2},
    "longcat_flash": {"zero_expert_num": 2},
    "mamba2": {"num_heads": 4, "head_dim": 16, "expand": 2},
    "qwen4_exp_text": {
        "indexer_n_heads": 2, "indexer_kv_heads": 1, "indexer_head_dim": 8, "indexer_budget": 8,
        "indexer_compress_ratio": 2,
    },
    "reformer": {
        "axial_pos_embds_dim": [8, 24], "axial_pos_shape": [8, 8], "attn_layers": ["local", "local"],
    },
    "roc_bert": {
        "pronunciation_vocab_size": 20, "pronunciation_embed_dim": 8, "shape_vocab_size": 20, "shape_embed_dim": 8,
    },
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
    "xlstm": {"qk_dim_factor": 1.0, "chunk_size": 16},
    "zamba": {"layers_block_type": ["linear_attention", "hybrid", "linear_attention", "hybrid"], "mamba_dt_rank": 8,
              "n_mamba_heads": 2, "attention_hidden_size": 64, "attention_head_dim": 16},
    "zamba2": {"layers_block_type": ["linear_attention", "hybrid"] * 2, "hybrid_layer_ids": [1, 3],
               "n_mamba_heads": 4, "mamba_headdim": 16, "attention_hidden_size": 64, "attention_head_dim": 16,
               "num_query_groups": 4, "num_key_value_heads": 4},
    "zaya": {"num_experts_per_tok": 1},
}  # fmt: skip
