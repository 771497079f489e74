"""The pulse of comments: how many, about what, in what mood, asking what (contract section 11).

Everything is worked out here from comments that are stored already: word lists that come with the
package, no model, no call outside. Where the lists do not know a language, the mood is unknown.
"""
