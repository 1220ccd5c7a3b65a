"""The files of a study's folder: plan, records, tables, locks, remote copies, trials exchanged
with other machines. Imports design."""
