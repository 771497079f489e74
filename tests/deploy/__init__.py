"""What ``deploy/`` offers: units, image, composition, proxies."""
