[{app, [{password, "«Ferry!Lamp88»"}, {port, 80}]}].
