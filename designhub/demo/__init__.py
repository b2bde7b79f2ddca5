"""The demo: a hub, three OctoPrint servers with virtual printers, and one part from push to hand.

`stage` holds the processes, `people` who they are, `designs` what is pushed, `story` what happens.
"""
