-- What was ended, refused or cut while a command ran, so that the owner is told.

ALTER TABLE run ADD COLUMN incidents TEXT NOT NULL DEFAULT '[]'; -- JSON list of Incident
