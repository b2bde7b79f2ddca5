"""The experiment `designhub bench chaos`: a whole hub with real OctoPrint servers, and everything
that can go wrong going wrong, by a plan that a seed decides.

    plan    what is done, at which line of the protocol or at which moment
    marks   the lines of the protocol, and how a process dies at one of them
    rigged  the hub, its worker and the agents, as the product starts them, with marks
    proxy   the network between them, which cuts, delays and repeats
    world   the processes: killed by the monkey, started again by their keeper
    people  a maker who orders, and a person at each printer who takes parts off beds
    counts  what was printed, by OctoPrint's own log, against what was promised
    storm   all of it together
"""
