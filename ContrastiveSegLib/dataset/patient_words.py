"""Words in names of files and folders: which follow a patient, and which tell patients apart."""

from __future__ import annotations

import re

from ContrastiveSegLib.dataset.file_roles import BETWEEN

# patient001_frame12, P7-T2, case3_ses-01, 007_ED: these carry a number, or say when it was.
TIMES = "frame|timepoint|time|tp|t|phase|ph|session|ses|visit|followup|fu"
MOMENTS = "baseline|followup|ed|es"
# These may number patients as well; so they are taken off only where another number is left.
COUNTED = "image|img|im|volume|vol|scan|exam|study|series|acq|run|rep|echo|dyn|day|week|month|year|m"
# BraTS_003_t1ce, P7_portal_venous, p4_b1000: sequences, phases of contrast, sides, treatments of one image.
SEQUENCES = (
    r"t1(?:w|c|\+c|ce|gd|gad|n|km|wce|pre|post|map|rho)?|t2(?:w|f|s|star|\*|map|flair)?|flair|pdw?|adc|dwi|dti|"
    r"tse|fse|gre|haste|mp2rage|tirm|epi|trace|b[-=_]?(?:0|50|\d{3,4})|asl|swi|dce|dsc|mra?|mri|mprage|space|vibe|stir|ssfp|bssfp|cine|lge|"
    r"dixon|inphase|outphase|opp|water|fat|mag|magnitude|phase|"
    r"hbv|hbval|subtraction|psir|t1ir|ir|ecv|kep|bold|sbref|tfe|ffe|uni|unit1|inv[12]|fs|fatsat|t[12]fs|pdfs|"
    r"prone|supine|insp|exp|inspiration|expiration|inhale|exhale|lowdose|fulldose|hires|tof|qsm|fa|md|ivim|ktrans|r?cb[fv]|mtt|tmax|ttp|perfusion|perf|"
    r"ct(?:res|org|reg)?|cta|ncct|cect|cbct|ldct|pet|suv|fdg|spect|us|"
    r"pre|post|precontrast|postcontrast|contrast|ce|gd|gad|nc|native|plain|arterial|art|venous|ven|portal|pvp?|[ad]p|hap|hbp|unenhanced|enhanced|washin|washout|"
    r"portovenous|delay(?:ed)?|equilibrium|nephrographic|corticomedullary|excretory|late|early|"
    r"ax|axial|tra|transversal|cor|coronal|sag|sagittal|left|right|lt|rt|"
    r"raw|orig|original|res|corrected|n4|bias|reg|registered|resampled|warped|stripped|brain|bet|map|3d"
)
DIXON = "w|f|in|out"
DATE = r"(?:19|20)\d\d[-_.]?(?:0\d|1[0-2])[-_.]?(?:[0-2]\d|3[01])"

LAST = re.compile(
    rf"{BETWEEN}+(?:(?:{TIMES}){BETWEEN}?\d+|{MOMENTS}|{SEQUENCES}|{DIXON})$",
    re.IGNORECASE,
)
# What may be taken off only if a number is left; in BraTS-GLI-00003-001 and UPENN-GBM-00012_21 the last
# number is a visit.
LAST_OF_TWO_NUMBERS = re.compile(
    rf"(?:{BETWEEN}+(?:(?:{COUNTED}){BETWEEN}?\d+|{DATE})|(?<=\D\d{{5}})[-_]\d{{2,3}})$", re.IGNORECASE
)
FIRST = re.compile(
    rf"^(?:{SEQUENCES}|{MOMENTS}|dixon{BETWEEN}+(?:{DIXON})|(?:{TIMES}){BETWEEN}?\d+|{DATE}){BETWEEN}+(?=.*\d)",
    re.IGNORECASE,
)
# Names of nothing else say nothing about the patient: t1.nii, ct/, 2021-03-05/.
SEQUENCES_ALONE = re.compile(rf"(?:{SEQUENCES}|{MOMENTS})(?:{BETWEEN}+(?:{SEQUENCES}))*", re.IGNORECASE)
VISIT = re.compile(rf"(?:{TIMES}|{COUNTED}){BETWEEN}?\d+|{DATE}", re.IGNORECASE)
# DICOM/PAT00001/STD00001/SER00001, PA1/ST2/SE3; UIDs.
INSIDE_A_PATIENT = re.compile(
    r"(?:se|ser|st|std|stu|ex)\d+|series|study|anat|func|dicom|dcm|nifti|nii|nrrd|mha|processed|"
    r"preprocessed|derivatives|\d+(?:\.\d+){4,}",
    re.IGNORECASE,
)
OF_MANY = re.compile(
    r"(?:tr|ts|va|train|training|test|testing|val|valid|validation|dev|fold|split|batch|set|subset|part|"
    r"data|dataset|group|arm|site|cent(?:er|re)|hospital|clinic|institute|cohort|scanner|vendor|class|"
    r"healthy|normal|controls?|patients?|cases|subjects|unlabel?led|label?led)(?:[-_ ]?(?:\d{1,2}|[A-Z]))?",
    re.IGNORECASE,
)
PATIENT = re.compile(
    rf"(?:patient|pat|pt|subject|subj|sub|volunteer|case|person){BETWEEN}?\d+", re.IGNORECASE
)


# Of patient7_02 the second number is a visit or a frame.
NUMBER_OF_PATIENT = re.compile(rf"^({PATIENT.pattern}){BETWEEN}+\d{{1,2}}$", re.IGNORECASE)


def shortened(name: str) -> str:
    """A name without the words that say which image of a patient it is; "" if it has no others."""
    while not SEQUENCES_ALONE.fullmatch(name):
        shorter = LAST.sub("", name)
        if shorter == name and re.search(r"\d", less := LAST_OF_TWO_NUMBERS.sub("", name)):
            shorter = less
        shorter = NUMBER_OF_PATIENT.sub(r"\1", FIRST.sub("", shorter))
        if shorter == name:
            return name
        name = shorter
    return ""


def is_part_of_patient(folder: str) -> bool:
    """Whether a folder is one visit, sequence or series of a patient: ses-02, T1, 2021-03-05, SE0."""
    return any(words.fullmatch(folder) for words in (SEQUENCES_ALONE, VISIT, INSIDE_A_PATIENT))


def tells_many_apart(folder: str) -> bool:
    """Whether a folder is one of many patients: fold3, siteA, train."""
    return OF_MANY.fullmatch(folder) is not None


def names_a_patient(name: str) -> bool:
    """Whether a name begins with a word for a patient and a number."""
    return PATIENT.match(name) is not None
