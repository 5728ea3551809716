"""What a network sees: saliency, feature maps, pictures that excite it, dreams."""
