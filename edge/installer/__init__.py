"""Installing a box: what is around it becomes devices, and a page on the box leads from ticket to certificate.

None of this is loaded by the agent.
"""
