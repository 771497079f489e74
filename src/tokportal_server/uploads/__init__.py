"""Uploads: media on their way in, from a presigned PUT, a multipart body or a URL.

Owns the quarantine, the type and limit checks (contract section 8) and the public copies that
hold nothing but picture or film. Every byte a stranger sent is decoded in a limited child process.
"""
