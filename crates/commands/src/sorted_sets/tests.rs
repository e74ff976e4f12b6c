//! Commands on sorted sets, as short transcripts.
