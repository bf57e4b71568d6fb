//! What users write to name things: `PROJECT`, `PROJECT/TASK`, `PROJECT/TASK/RUN`, or a bare id.
