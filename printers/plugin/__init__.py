"""The agent inside OctoPrint: the plugin `OctoPrint-DesignHub`, a distribution of its own.

`designhub.plugin_wheel` packs it with the modules of both sides under the name of its own package.
Only `entry` imports OctoPrint, and only OctoPrint can load it.
"""
