Dim pwd As String = TextBox1.Text
