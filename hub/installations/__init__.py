"""Installing a box at a subject: whose it is and where, a trial of all that it has, a certificate that it works."""
