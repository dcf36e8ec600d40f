Dim pwd As String = "«Ferry!Lamp88»"
