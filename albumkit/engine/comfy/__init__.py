"""A base from ComfyUI's ``models`` folder: transformer, text encoder and autoencoder as single files.

ComfyUI keeps no configuration beside them; it follows from the shapes (:mod:`.configs`), and the names of the
weights are translated one by one (:mod:`.names`), alike for headers and for numbers.
"""
