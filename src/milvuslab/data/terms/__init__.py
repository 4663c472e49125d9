"""Words of a text as a lexical search counts them: `find_terms`, `normalize_terms`."""

from milvuslab.data.terms.analysis import TERMS_VERSION, Term, check_terms, find_stems, find_terms, normalize_terms

__all__ = ["TERMS_VERSION", "Term", "check_terms", "find_stems", "find_terms", "normalize_terms"]
