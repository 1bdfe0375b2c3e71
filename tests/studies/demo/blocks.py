BLOCKS = ["vision.embeddings.patch_embeddings.qcnn.core.layer", "paqm.core.layer"]
